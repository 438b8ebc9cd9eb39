/** Who answers: the demo model, which is called so wherever it may answer, or the person's own key. */
class Model {
	/** Whether the tenant has a key; null until it is known. */
	hasKey = $state<boolean | null>(null);

	/** The service says in its pages whether it has a demo model. */
	get isAllowed(): boolean {
		return document.documentElement.dataset['model'] === 'demo';
	}

	get isDemo(): boolean {
		return this.isAllowed && this.hasKey === false;
	}
}

export const model = new Model();
