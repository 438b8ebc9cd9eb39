/** All English words of the app, in one place. Keys that are names of the API are checked by type. */
import type {
	Action,
	Agent,
	EventType,
	Gate,
	Stage,
	Status,
	Step
} from '#lib/api/lifecycle_tables.ts';
import type {
	Basis,
	CommentKind,
	Estimate,
	Outcome,
	Problem,
	Progress,
	ServingBasis,
	Severity,
	SpendingCause,
	StopReason
} from '#lib/api/generated/index.ts';
import { count, duration, money, moneyBetween } from '#lib/format.ts';
import { story } from './en_story.ts';

const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

const A_CENT = 0.01;
const roughly = ({ low_usd, high_usd }: Estimate): string => {
	if (low_usd === null || high_usd === null) return 'Nobody knows how much';
	if (Number(high_usd) < A_CENT) return 'Less than a cent';
	if (Number(low_usd) < A_CENT) return `Up to roughly ${money(high_usd)}`;
	return `Roughly ${moneyBetween(low_usd, high_usd)}`;
};

export const en = {
	brand: 'Build Practical',
	title: (page: string) => `${page} · Build Practical`,
	skip: 'Skip to the content',
	close: 'Close',
	cancel: 'Cancel',
	save: 'Save',
	copy: 'Copy',
	copied: 'Copied',
	tryAgain: 'Try again',
	undo: 'Undo',
	undone: 'Undone: it stands where it stood before.',
	demo: {
		chip: 'Demo model',
		note: 'A demo model answers here. It follows a script and writes the same kind of small program for every brief. Nothing leaves this machine.',
		settings: 'Enter your own API key'
	},
	nav: {
		main: 'Main',
		features: 'Features',
		settings: 'Settings',
		audit: 'Audit',
		usage: 'Usage',
		signOut: 'Sign out',
		palette: 'Find or do something',
		theme: 'Change between light and dark'
	},
	setBack:
		'The service was restored to an earlier state. Look through your latest work: some of it may be missing.',
	lost: {
		title: 'The connection is lost.',
		help: 'Nothing is lost with it: this page goes on by itself as soon as the service answers.'
	},
	/** Said wherever code is promised or handed over, in the same words. */
	what: 'You get code to download. It does not run here: to run it you need a computer with Docker, or somebody who runs it for you.',
	landing: {
		title: 'Describe software. Approve every step. Get its source code.',
		lead: 'You talk with an analyst. Constrained agents write a specification, a plan, tests and the code. Nothing goes on before you have read it and said yes.',
		start: 'Start with an idea',
		signIn: 'Sign in',
		how: 'How it goes',
		steps: [
			[
				'Talk',
				'An analyst asks short questions, one at a time, and proposes a brief. You correct it until it says what you mean.'
			],
			[
				'Decide at three gates',
				'Specification, plan, tests: each is checked by a reviewer who tells you whether it fits, and why. You decide; the exact text you read is the text that counts.'
			],
			[
				'Take the code',
				'The code is written, then read by two reviewers, one for security. You get a zip with everything: the code, what starts it, and the reasons behind it.'
			]
		],
		promisesTitle: 'What you can rely on',
		promises: [
			['Nothing is run', 'Agents write files. Their code is read by parsers, never executed here.'],
			[
				'Nothing is lost',
				'Every step is kept. Go back to any point; what was paid for is not paid for twice.'
			],
			[
				'Nothing is hidden',
				'Who did what, with which model, for how much: on the page, and in a log whose chain you can verify.'
			]
		],
		sampleGate: 'The reviewer recommends to approve',
		sampleWhy: 'Each of the six points of the brief is answered.',
		sampleButton: 'Approve this specification'
	},
	auth: {
		signUp: 'Make an account',
		signUpLead: 'An account keeps your features apart from everybody else’s.',
		signIn: 'Sign in',
		signInLead: 'Go on where you stopped.',
		email: 'E-mail address',
		password: 'Password',
		newPassword: 'New password',
		passwordHint: '12 characters or more. A few words in a row are easy to remember.',
		show: 'Show',
		hide: 'Hide',
		toSignIn: 'I have an account',
		toSignUp: 'I have no account yet',
		forgot: 'I forgot my password',
		forgotTitle: 'Ask for a new password',
		forgotLead: 'If there is an account with this address, a letter with a link is on its way.',
		forgotButton: 'Send me a link',
		forgotDone:
			'If there is such an account, the link is in its mailbox. It is good for an hour, once.',
		resetTitle: 'Choose a new password',
		resetLead: 'All sessions of this account end, and you sign in with the new one.',
		resetButton: 'Set the password',
		resetDone: 'The password is set. Sign in with it.',
		resetNoToken: 'This address has no token. Open the link from the letter.',
		working: 'One moment…'
	},
	dashboard: {
		title: 'Features',
		lead: 'One feature is one piece of software, from the first idea to its source code.',
		new: 'New feature',
		search: 'Search titles',
		filter: 'Status',
		all: 'All',
		working: 'At work',
		finished: 'Finished',
		failed: 'Failed',
		more: 'Show more',
		count: (n: number) => plural(n, 'feature', 'features'),
		unread: (n: number) =>
			`${plural(n, 'feature', 'features')} cannot be shown until an update of the service is through. Nothing is lost.`,
		rename: (title: string) => `Rename “${title}”`,
		renamed: 'Renamed',
		undo: 'Undo',
		open: 'Open',
		untitled: 'Untitled idea',
		workingFor: (time: string) => `for ${time}`,
		advice: { APPROVE: 'Reviewer: approve', REVISE: 'Reviewer: revise' },
		emptyTitle: 'Nothing here yet',
		empty:
			'Say in a sentence or two what you would like to have. The analyst asks about the rest, and you can stop and come back at any time.',
		emptyButton: 'Describe your first feature',
		emptyExamples: 'For instance',
		examples: [
			'A list of the tools in our street, and who has borrowed what',
			'Cake orders for a small bakery: who, which cake, for which day',
			'A rota for the volunteers of our village library'
		],
		noneTitle: 'Nothing fits this filter',
		none: 'Change the words or the status above.',
		clear: 'Show all features',
		keys: 'j and k move, Enter opens, n begins a new one'
	},
	status: {
		drafting: 'In conversation',
		spec_generating: 'Writing the specification',
		spec_ready: 'Specification to approve',
		spec_approved: 'Planning starts',
		plan_generating: 'Writing the plan',
		plan_ready: 'Plan to approve',
		plan_approved: 'Tests start',
		tests_generating: 'Writing the tests',
		tests_ready: 'Tests to approve',
		tests_approved: 'Code starts',
		implementing: 'Writing the code',
		review: 'Under review',
		done: 'Done',
		failed: 'Failed',
		deleted: 'Deleted'
	} satisfies Record<Status, string>,
	stage: {
		spec: 'Specification',
		plan: 'Plan',
		tests: 'Tests',
		implementation: 'Code',
		review: 'Review'
	} satisfies Record<Stage, string>,
	progress: {
		done: 'done',
		current: 'now',
		waiting: 'to come',
		failed: 'failed'
	} satisfies Record<Progress, string>,
	gate: {
		spec: 'specification',
		plan: 'plan',
		tests: 'tests'
	} satisfies Record<Gate, string>,
	agent: {
		ba: 'Analyst',
		spec: 'Specification writer',
		planner: 'Planner',
		contract_test: 'Test writer',
		implementer: 'Implementer',
		security_review: 'Security reviewer',
		code_review: 'Code reviewer',
		alignment_review: 'Alignment reviewer',
		title: 'Title finder'
	} satisfies Record<Agent, string>,
	step: {
		converse: 'answers you',
		spec: 'writes the specification',
		title: 'looks for a title',
		align_spec: 'compares the specification with your brief',
		plan: 'writes the plan',
		align_plan: 'compares the plan with the specification',
		tests: 'writes the tests',
		align_tests: 'compares the tests with the specification',
		implement: 'writes the code',
		security_review: 'looks for weak points',
		code_review: 'reads the code'
	} satisfies Record<Step, string>,
	/** The same, as what somebody was about when it stopped. */
	doing: {
		converse: 'answering you',
		spec: 'writing the specification',
		title: 'looking for a title',
		align_spec: 'comparing the specification with your brief',
		plan: 'writing the plan',
		align_plan: 'comparing the plan with the specification',
		tests: 'writing the tests',
		align_tests: 'comparing the tests with the specification',
		implement: 'writing the code',
		security_review: 'looking for weak points in the code',
		code_review: 'reading the code'
	} satisfies Record<Step, string>,
	outcome: {
		running: 'running',
		succeeded: 'done',
		reused: 'reused, free',
		failed: 'failed',
		discarded: 'not used',
		outcome_unknown: 'lost'
	} satisfies Record<Outcome, string>,
	severity: {
		critical: 'Critical',
		high: 'High',
		medium: 'Medium',
		low: 'Low'
	} satisfies Record<Severity, string>,
	/** What a person does; the names of the API's actions that this app knows. */
	action: {
		approve: 'Approve',
		discuss: 'Discuss',
		confirm: 'Confirm',
		revise: 'Revise',
		rewrite: 'Comment',
		edit: 'Edit',
		retry: 'Try again',
		replay: 'Go back',
		fork: 'Fork',
		rename: 'Rename',
		delete: 'Delete',
		stop: 'Stop',
		resume: 'Resume',
		download: 'Download'
	} satisfies Partial<Record<Action, string>>,
	/** A sentence for each event, for the log. */
	event: {
		feature_created: 'began a feature',
		feature_renamed: 'renamed the feature',
		feature_deleted: 'deleted the feature',
		message_posted: 'said something to the analyst',
		step_started: 'began to work',
		attempt_failed: 'did not succeed',
		run_discarded: 'came too late; the result was not used',
		agent_replied: 'answered',
		brief_confirmed: 'confirmed the brief',
		brief_revised: 'revised the brief',
		rewrite_requested: 'commented, and asked for another version',
		spec_edited: 'edited the specification by hand',
		plan_edited: 'edited the plan by hand',
		tests_edited: 'edited the tests by hand',
		spec_generated: 'wrote the specification',
		plan_generated: 'wrote the plan',
		tests_generated: 'wrote the tests',
		recommendation_made: 'made a recommendation',
		spec_approved: 'approved the specification',
		plan_approved: 'approved the plan',
		tests_approved: 'approved the tests',
		feature_titled: 'found a title',
		implementation_completed: 'finished the code',
		security_reviewed: 'finished the security review',
		code_reviewed: 'finished the code review',
		verdict_reached: 'was the last to review: the verdict is reached',
		step_abandoned: 'gave up on a step that can be done without',
		mending_started: 'was the last to review: what is wrong is mended',
		mending_stopped: 'was the last to review: nothing is mended without you',
		feature_failed: 'could not go on: the feature failed',
		feature_retried: 'tried again from the last checkpoint',
		feature_replayed: 'went back to an earlier checkpoint',
		work_stopped: 'stopped the agents',
		work_resumed: 'let the agents go on',
		feature_forked: 'began a second way from another feature',
		part_carried: 'brought something along from that feature',
		approval_renewed: 'approved again what stands before the gate'
	} satisfies Record<EventType, string>,
	story,
	actor: (actor: string, agents: Record<string, string>): string => {
		const [kind = '', name = ''] = actor.split(':');
		if (kind === 'user') return 'You';
		if (kind === 'agent') return agents[name] ?? name;
		return 'The system';
	},
	talk: {
		title: 'Describe a feature',
		reviseTitle: 'Revise the brief',
		newLead: 'Say in your own words what you would like to have. The analyst asks about the rest.',
		placeholder: 'What would you like to have?',
		placeholderMore: 'Answer, correct, or add something…',
		send: 'Send',
		sendKeys: 'Enter sends, Shift + Enter makes a new line',
		you: 'You',
		analyst: 'Analyst',
		thinking: 'The analyst reads what you wrote…',
		writing: 'The analyst writes…',
		sending: 'On its way…',
		recommended: 'recommended',
		whyAsked: 'Why I ask:',
		ownAnswer: 'Or answer in your own words below.',
		answered: 'Your answer',
		proposed: 'A brief is proposed.',
		proposedSee: 'See it',
		failed: 'The answer did not come.',
		log: 'Conversation',
		earlier: (messages: number) =>
			`Show ${plural(messages, 'earlier message', 'earlier messages')}`,
		briefTitle: 'The brief',
		briefWaiting:
			'The brief appears here, when the analyst knows enough. It says what will be built, and what will not.',
		briefHow: 'You may also write it yourself, or bring one along.',
		briefWrite: 'Write the brief myself',
		briefEdit: 'Edit',
		briefPreview: 'Preview',
		briefReset: 'Take the proposed one again',
		briefText: 'Text of the brief, in Markdown',
		understood: (points: number, sentences: number) =>
			`Understood: ${plural(points, 'point', 'points')}, ${plural(sentences, 'sentence', 'sentences')} as background`,
		background: 'Taken as background, followed by nothing',
		makePoint: 'Make it a point',
		noPoint: 'No point after all',
		tooLong: (length: number, most: number) =>
			`That is ${count(length)} characters; ${count(most)} are the most. Nothing was cut: make it shorter, then send it.`,
		confirm: 'Confirm and start',
		confirmHint: 'The specification is written next. You read it before anything goes on.',
		confirmed: 'Brief confirmed. The specification is being written.',
		revise: 'Start over with this brief',
		reviseHint: 'The specification is written anew.',
		reviseLost: 'This will not count any more:',
		reviseSpent: (cost: string) => `Together it has cost ${cost}, with its reviews.`,
		reviseKept: 'Nothing is deleted: you can go back to it under History.',
		revised: 'Brief revised. The specification is written anew.',
		closedTitle: 'The conversation rests',
		closed: 'While agents work there is nobody to talk to. It goes on at the next gate.',
		closedThen: 'This is what had been said then. Come back to now to go on.',
		backToFeature: 'To the feature',
		empty: 'No word yet. Tell the analyst what bothers you, or ask why something is as it is.'
	},
	feature: {
		title: 'Feature',
		pipeline: 'Where it stands',
		parts: 'Parts of this feature',
		brief: 'Brief',
		spec: 'Specification',
		plan: 'Plan',
		tests: 'Tests',
		security_review: 'Security review',
		code_review: 'Code review',
		files: 'Files',
		talk: 'Conversation',
		runs: 'Work and cost',
		history: 'History',
		compare: 'Compare',
		log: 'Log',
		documents: 'Documents',
		result: 'Result',
		behind: 'Behind it',
		cost: 'Cost so far',
		tokens: 'Tokens',
		version: (n: number) => `version ${n}`,
		updated: (when: string) => `changed ${when}`,
		notYet: 'Not written yet',
		notYetHelp:
			'It appears here as soon as it is written, and you decide about it before anything goes on.',
		writtenBy: (who: string, when: string) => `${who}, ${when}`,
		approvedBy: (when: string) => `You approved this, ${when}`,
		fingerprint: 'Fingerprint',
		goOn: 'Go on talking',
		draftTitle: 'Still a conversation',
		draft:
			'There is no confirmed brief yet. Talk with the analyst until the brief says what you mean.',
		rename: 'Rename',
		more: 'More',
		delete: 'Delete',
		deleteTitle: 'Delete this feature?',
		deleteHelp:
			'Its texts become unreadable for ever, and its files are removed. This cannot be undone.',
		deleteButton: 'Delete for ever',
		deleted: 'The feature is deleted.',
		download: 'Download the code',
		missingTitle: 'There is no such feature',
		missing: 'It may have been deleted, or the address is not complete.',
		toList: 'To the features'
	},
	atGate: {
		title: {
			APPROVE: 'The reviewer recommends to approve',
			REVISE: 'The reviewer recommends to revise'
		},
		waiting: 'The reviewer compares it with what you asked for…',
		none: 'There is no recommendation for this one. Read it, then decide.',
		why: 'Why',
		lost: {
			spec: 'Missing: asked for in the brief, and answered by nothing',
			plan: 'Missing: required, and built by no task',
			tests: 'Missing: required, and checked by no test'
		} satisfies Record<Gate, string>,
		leftOut: 'Left out on purpose',
		added: 'New since the version before',
		notes: 'Please look at these: the words differ from the brief',
		approve: (what: string) => `Approve this ${what}`,
		approveAnyway: (what: string) => `Approve this ${what} anyway`,
		anywayNote: 'Why do you approve it all the same?',
		anywayHelp: 'Kept in the log as your decision.',
		goTo: (what: string) => `Go to the approval of this ${what}`,
		exactly: (what: string) => `You approve exactly the ${what} with the fingerprint`,
		readIt: (what: string) => `Read the ${what}`,
		changedTitle: 'The text has changed since you opened this page',
		changedHelp:
			'It was written anew, perhaps after you or somebody else revised the brief in another window. Read the new text; what you approve is the new one.',
		changedRead: 'I have read the new text',
		discuss: 'Discuss it',
		revise: 'Revise the brief',
		comment: 'Comment on parts',
		edit: 'Edit it yourself',
		proposal: {
			title: 'A changed brief is proposed',
			help: 'You talked about a change, and the assistant proposed a brief with it. Approving as it is would leave the change out.',
			read: 'Read the proposed brief',
			take: 'Take it: go on with the changed brief',
			aside: 'Approve without it. The log says that the proposal was put aside.'
		},
		approved: (what: string) => `Approved: ${what}`,
		changed: 'It has changed since you read it. The new text is shown; read it, then decide again.',
		next: {
			spec: 'Next: a plan of the files and their order.',
			plan: 'Next: tests, before any code.',
			tests: 'Next: the code, then two reviews.'
		} satisfies Record<Gate, string>
	},
	comments: {
		title: 'Comments',
		help: 'Say what is wrong or missing, part by part. It is written anew with these comments; what you do not comment on stays as it is.',
		about: 'What it is about',
		whole: 'The document as a whole',
		kind: 'What kind of comment it is',
		kinds: {
			wrong: 'This is wrong',
			add: 'Add something',
			other: 'Something else'
		} satisfies Record<CommentKind, string>,
		text: 'Your comment',
		add: 'Add a comment',
		remove: 'Remove',
		send: (n: number) => `Write it anew with ${plural(n, 'comment', 'comments')}`,
		sent: 'Your comments are sent. It is being written anew.',
		answered: 'What was done about your comments',
		youSaid: 'You said',
		changed: 'Changed:',
		nothingChanged: 'nothing changed'
	},
	editing: {
		title: 'Edit it yourself',
		help: 'Your version is checked as the agent’s was, and the reviewer reads it anew. The log says that it is yours.',
		forDeveloper: 'For a developer: the whole document as structured text (JSON)',
		unreadable: 'This is no valid JSON yet.',
		save: 'Put my version here',
		saved: 'Your version stands here now.',
		summary: 'Summary',
		actor: 'Who',
		trigger: 'When',
		response: 'Then',
		criteria: (n: number) => plural(n, 'example of what must hold', 'examples of what must hold'),
		remove: (id: string) => `Remove ${id}`
	},
	work: {
		title: 'At work',
		waiting: 'waits for a free place',
		attempt: (n: number) => `attempt ${n}`,
		elapsed: (time: string) => `for ${time}`,
		nothingYet: 'The first words appear in a moment.',
		files: (n: number) => plural(n, 'file written', 'files written'),
		away: 'You can close this page. The work goes on, and nothing is lost.',
		missedStart: 'The beginning was written before you came.',
		again: (time: string) => `tries again in ${time}`,
		againSoon: 'tries again in a moment'
	},
	/** Work that a person stopped. */
	stop: {
		stop: 'Stop',
		help: 'Cuts off what is being written. What was accepted stays, and nothing is paid for until you resume.',
		stopped: 'Stopped. Nothing is paid for.',
		title: 'Stopped. Nothing is paid for.',
		card: 'What was accepted stays as it is. Resume, and these go on:',
		none: 'What was accepted stays as it is.',
		because: (reason: string) => `You said: ${reason}`,
		since: (time: string) => `stopped ${time}`,
		resume: 'Resume',
		resumed: 'The agents go on.',
		chip: 'stopped'
	},
	/** What a decision would cost; always said to be an estimate, and what it rests on. */
	cost: {
		fromThere: 'From there on:',
		asking: 'Estimating what it will cost…',
		unknown: 'No estimate of the cost at the moment. You can decide all the same.',
		words: {
			nothing: () => 'Costs nothing, for no agent works before you decide again.',
			demo: () => 'Costs nothing, for the demo model answers.',
			runs: (one) =>
				`${roughly(one)}, an estimate from ${plural(one.runs, 'earlier run', 'earlier runs')}.`,
			prices: (one) => `${roughly(one)}, an estimate from list prices: no earlier run yet.`,
			runs_and_prices: (one) =>
				`${roughly(one)}, an estimate from ${plural(one.runs, 'earlier run', 'earlier runs')} and list prices.`,
			unpriced: (one) =>
				`No estimate: the price of ${(one.unpriced ?? []).join(' and ')} is not known here. It is not free.`
		} satisfies Record<Basis, (one: Estimate) => string>
	},
	failure: {
		title: 'It did not work out',
		step: (what: string) => `It stopped while ${what}.`,
		cost: (cost: string) => `This feature has cost ${cost} so far.`,
		next: 'What to do',
		retry: 'Try again',
		retryHelp:
			'Goes on from the last checkpoint. What was recorded is not paid for again, and files that were written are kept.',
		mend: 'Have it mended',
		backTo: (what: string) => `Go back to the ${what}`,
		backCost: (cost: string) => `What came after it has cost ${cost} so far.`,
		stageAtFault: 'This is what the reviews find fault with.',
		retryOr: 'Try again. If it happens again, change the brief.',
		back: 'Go back further',
		reviewTitle: 'The code did not pass its review',
		review: 'It cannot be downloaded like this. This is what is wrong:',
		findings: (what: string) => `${what}: read the findings`,
		reviewNext:
			'Have it mended: the code is changed where these findings point to, then reviewed again. Or go back and change what the code is made from.',
		undecidedTitle: 'The review came to no verdict',
		undecided:
			'So the code did not pass. The reviewer called something grave that could not be found in the code, or left open what it was asked:',
		undecidedNext:
			'Ask the review again: it reads the same code once more and has to answer each of these points. Or go back, and change what the code is made from.',
		askAgain: 'Ask the review again',
		askAgainHelp:
			'Only this review is asked again; the code and the other review stay as they are.',
		asked: 'The review is asked again.',
		takeAnyway: 'Download as not passed',
		takeAnywayHelp:
			'Whoever runs this service allows it. The zip says that it did not pass: have somebody read the code before anybody runs it.',
		settings: 'To the settings',
		retried: 'Trying again from the last checkpoint.'
	},
	/** Code that failed its reviews, and what becomes of it. */
	mending: {
		round: (found: number, round: number, of: number, cost: string) =>
			`The review found ${plural(found, 'thing', 'things')}. Round ${round} of ${of} mends ${found === 1 ? 'it' : 'them'}${cost ? `, about ${cost}` : ''}.`,
		byHand: (found: number) =>
			`The review found ${plural(found, 'thing', 'things')}. As you asked, ${found === 1 ? 'it is' : 'they are'} mended now.`,
		frozen: (files: number, frozen: number) =>
			`Only ${plural(files, 'file', 'files')} may change; ${plural(frozen, 'file stays as it is', 'files stay as they are')}.`,
		what: 'What was found',
		still: 'The review before had found this, and it is not mended yet:',
		stopped: {
			undecided: () => 'A review came to no verdict, so nothing is mended by itself.',
			nothing_named: () =>
				'What was found names no file, so nobody knows what to mend without you.',
			earlier_stage: () =>
				'The code alone is not at fault: what it is made from is. Changing the code would not help.',
			off: () => 'Here nothing is mended without you: whoever runs this service has set it so.',
			no_progress: (rounds) =>
				rounds === 0
					? 'The last try left no fewer faults than before, so nothing more is tried without you.'
					: `${plural(rounds, 'round has', 'rounds have')} tried to mend it. The last one left no fewer faults than before, so it stopped.`,
			limit_reached: (rounds) =>
				`${plural(rounds, 'round has', 'rounds have')} mended some of it. More are not made without you.`
		} satisfies Record<StopReason, (rounds: number) => string>
	},
	done: {
		title: 'The code is ready',
		help: 'It passed both reviews. Nobody has run it yet: the zip begins with how to start it.',
		notes: 'What the programmer tells you',
		handOver: 'Hand it to somebody',
		handOverHelp: 'A page on what it is, needs and costs to run, and whom to ask.',
		letter: { html: 'Page to print, or to keep as PDF', md: 'As text' },
		files: (n: number) => plural(n, 'file', 'files'),
		bundle: 'With its history, for git',
		bundleHelp: 'One commit for each step. To open it:',
		bundleCommand: (name: string) => `git clone "${name}.bundle"`
	},
	rounds: {
		change: 'Change it',
		changeTitle: 'What should change?',
		empty:
			'Say what should be different. The analyst proposes the changed brief; nothing begins before you confirm it.',
		confirm: 'Confirm and begin the next round',
		confirmHint:
			'What stands now is what the next round begins with; only what has to change is written again. This round stays as it is, with its download.',
		confirmed: 'The next round has begun. The specification is being written.',
		touched: (changes: number, needs: number, stay: number, files: number) =>
			`${changes} of ${plural(needs, 'requirement', 'requirements')} ${changes === 1 ? 'changes' : 'change'}, ${stay} of ${plural(files, 'file', 'files')} surely ${stay === 1 ? 'stays' : 'stay'} as ${stay === 1 ? 'it is' : 'they are'}`,
		touchedHint:
			'Computed from your change. If more has to change, the reason stands at the gates and in the changelog.',
		touches: 'What changes, and what leads there',
		stays: 'What stays as it is',
		similar: 'Start a similar one',
		similarMade:
			'A similar one begins here, with the same brief. Change what should be different, then confirm it.',
		title: (n: number) => `Round ${n}`,
		help: 'It goes on from what stood before. Earlier rounds stay as they were.',
		see: (n: number) => `Look at round ${n}`,
		download: (n: number) => `Download round ${n}`,
		changed: (n: number) => `What has changed since round ${n}`,
		lists: { points: 'What you asked for', requirements: 'Requirements', files: 'Files' },
		kinds: { added: 'New', changed: 'Changed', removed: 'Gone' },
		kept: {
			points: (n: number) => `${plural(n, 'point', 'points')} as before`,
			requirements: (n: number) => `${plural(n, 'requirement', 'requirements')} as before`,
			files: (n: number) => `${plural(n, 'file', 'files')} as before, to the last character`
		}
	},
	files: {
		title: 'Files',
		none: 'No code yet. Files appear here while they are written.',
		loading: 'Reading the file…',
		list: 'Files of this feature'
	},
	why: {
		title: 'Why is this line here?',
		line: 'Line',
		ask: 'Show',
		help: 'Click a line of the code, or write its number.',
		lines: (range: string) => `Lines ${range}`,
		written: (who: string, attempt: string, round: number) =>
			`Written by ${who}${attempt ? ` (${attempt})` : ''} in round ${round}`,
		writtenUnknown: 'It is not known who wrote it.',
		task: 'for the task',
		basis: {
			test: 'It is a test of what follows.',
			tested: 'Tests of what follows use it.',
			named: 'Code for what follows names this table.',
			task: 'The plan says that its task is for what follows.',
			shared: 'Most of the software stands on it, so it is there for no single wish.',
			stack: 'Every project has this file; it is there for no single wish.',
			not_known: 'It is not known what it is for: no task and no test names it.'
		} satisfies Record<ServingBasis, string>,
		tests: 'Tests that use it, or import its file:',
		said: 'You said:',
		unsaid: 'It stands in the brief; which message asked for it is not known.',
		stands: 'What stands on this',
		standsTitle: 'What stands on each point',
		leftOut: 'Left out:',
		nothing: 'Nothing is known to stand on it.',
		testList: 'Tests',
		placeList: 'Files and lines',
		shared: (n: number) =>
			`And ${plural(n, 'file', 'files')} with lines that most of the software stands on.`
	},
	runs: {
		title: 'Work and cost',
		lead: 'Every piece of work an agent has done for this feature, with what it used.',
		none: 'No agent has worked on it yet.',
		agent: 'Agent',
		outcome: 'Outcome',
		model: 'Model',
		tokens: 'Tokens in / out',
		seconds: 'Time',
		cost: 'Cost',
		total: 'Together',
		ours: 'cut off by a restart of ours; the work went on',
		unpriced: 'not known: the model has no price here'
	},
	history: {
		title: 'History',
		lead: 'Every place you can go back to. Nothing is deleted when you do, and what is recorded is not paid for again. Approvals given after that place do not count any more.',
		none: 'No place to go back to yet.',
		here: 'now',
		back: 'Go back to here',
		since: (cost: string) => `${cost} spent since then`,
		confirmTitle: 'Go back to this place?',
		confirm: (n: number) =>
			`The feature stands again as it was at version ${n}. What came after stays in the log and can be taken up again.`,
		button: 'Go back',
		went: (n: number) => `Back at version ${n}.`
	},
	log: {
		title: 'Log',
		more: 'Show more',
		zoom: 'How close to look',
		zooms: { story: 'Story', timeline: 'Timeline', raw: 'Events' },
		leads: {
			story: 'What happened, in sentences. What belongs together is told once.',
			timeline: 'Who was at work when. Long waits are folded. Choose a mark to read what it was.',
			raw: 'Every event as it was recorded, each sealed to the one before it.'
		},
		running: 'now',
		note: 'Note',
		eventAt: (first: number, last: number) =>
			first === last ? `event ${first}` : `events ${first} to ${last}`,
		asItWas: 'as it was then',
		loading: (n: number) => `Reading the log: ${plural(n, 'event', 'events')} so far…`,
		none: 'Nothing has happened yet.',
		lanes: 'Lanes of the person, of each agent and of the system',
		lane: { person: 'You', system: 'System' },
		closer: 'Closer',
		wider: 'Wider',
		keys: 'Left and right arrow go from mark to mark, Enter shows the event.',
		waited: (time: string) => `${time} later`,
		table: 'The same as a table',
		who: 'Who',
		what: 'What',
		when: 'When',
		took: 'Took',
		cost: 'Cost',
		stillRunning: 'still at work',
		underOne: 'under 1 s',
		atOnce: '–',
		showEvent: 'Show the event',
		details: 'Content',
		event: 'Event',
		type: 'Type',
		schema: (n: number) => `shape ${n}`,
		actor: 'Actor',
		recorded: 'Recorded',
		hash: 'Hash',
		previous: 'Hash before it',
		correlation: 'Belongs to command',
		cause: 'Caused by',
		causeAt: (n: number) => `event ${n}`,
		noCause: 'a person’s command',
		position: 'Position in the whole log',
		trace: 'What led to what',
		traceTitle: 'From the command to what followed',
		traceLead: (events: number, calls: number) =>
			`${plural(events, 'event', 'events')} and ${plural(calls, 'request', 'requests')} to a model came of it.`,
		call: (turn: number) => `Request ${turn} to the model`,
		callSent: (n: number) => `sent ${plural(n, 'time', 'times')}`,
		requestId: 'the provider’s name of it',
		hereIt: 'this event',
		pastOnly: (n: number) => `Up to version ${n}, which you are looking at.`
	},
	proof: {
		title: 'Take it with you, and check it',
		lead: 'For your records, or for somebody who wants proof.',
		log: 'Download the log',
		logHelp:
			'Every event with its hash, one per line (CloudEvents). Anybody can check the chain with “bp log verify”.',
		certify: 'Check what is shown',
		certifyHelp:
			'Works everything out anew from the log alone, without any model, and compares it with what the pages show.',
		equal: (n: number) =>
			`What is shown is what happened: ${plural(n, 'event gives', 'events give')} the same.`,
		unequal: (n: number) =>
			`What is shown differs from what ${plural(n, 'event gives', 'events give')}.`,
		unequalHelp:
			'Do not decide anything on these pages now. Tell whoever runs this service, and pass the certificate on.',
		same: 'equal',
		different: 'different',
		view: 'What is compared',
		rows: 'Rows',
		shown: 'Hash as shown',
		folded: 'Hash from the log',
		head: 'Hash of the last event',
		save: 'Download the certificate',
		checking: 'Working it out…'
	},
	seal: {
		checking: 'Checking the log…',
		verified: (n: number) => `Log verified, ${plural(n, 'event', 'events')}`,
		broken: (n: number) => `The log is broken at event ${n}`,
		unknown: 'The log could not be checked',
		help: 'Each event is sealed to the one before it. The whole chain was worked out anew and fits.',
		unknownHelp: 'The service did not answer when it was asked to check. It is asked again soon.',
		brokenTitle: (n: number) => `This feature’s log was changed, at event ${n}`,
		brokenHelp:
			'What these pages show from there on may not be what happened. Approve nothing and download nothing for now. Tell whoever runs this service: what to do stands in its operations guide, under “The log must be checked”.'
	},
	audit: {
		title: 'Audit',
		lead: 'Everything that was recorded for you, over all features, as it stands in the log.',
		search: 'Search the log',
		searched:
			'Searched are titles, what happened, who did it, codes of failures, and the beginnings of ids and hashes. What you and the agents wrote is sealed, and is not searched.',
		type: 'What happened',
		anything: 'Anything',
		chosen: (n: number) => `${n} chosen`,
		only: 'Only',
		not: 'Not',
		onlyThis: (what: string) => `Only: ${what}`,
		notThis: (what: string) => `Not: ${what}`,
		actor: 'Who',
		anybody: 'Anybody',
		feature: 'Feature',
		anyFeature: 'Any feature',
		from: 'From',
		to: 'Until',
		order: 'Order',
		newest: 'Newest first',
		oldest: 'Oldest first',
		problems: 'Only what went wrong',
		export: 'Export this feature’s whole log',
		chosenNow: 'What is chosen',
		drop: (what: string) => `Do not filter any more. ${what}`,
		clear: 'Clear all',
		none: 'Nothing is recorded that fits.',
		nothingYet: 'Nothing is recorded yet. Whatever happens to your features appears here.',
		count: (n: number) => `${n.toLocaleString('en')} ${n === 1 ? 'event' : 'events'}`,
		atLeast: (n: number) => `At least ${n.toLocaleString('en')} ${n === 1 ? 'event' : 'events'}`,
		cut: (when: string) => `The search has come as far as ${when}`,
		further: 'Search further',
		stale: 'Something new was recorded: show it',
		deleted: 'Deleted feature',
		v: (n: number) => `v${n}`,
		at: (title: string, n: number) => `${title} as it was at version ${n}`,
		detail: {
			type: 'Type',
			schema: (n: number) => `schema ${n}`,
			actor: 'Actor',
			at: 'Recorded',
			id: 'Event',
			before: 'Hash before it',
			command: 'Command',
			itself: 'the command itself',
			led: 'All of this command',
			together: (events: number, calls: number) =>
				`${plural(events, 'event', 'events')}, ${plural(calls, 'request to a model', 'requests to a model')}`,
			tokens: (input: string, output: string) => `${input} tokens in, ${output} out`,
			tree: 'What led to what',
			content: 'Content of the event',
			gone: 'The feature was deleted: its content is unreadable for ever. What the log keeps is here.',
			unread:
				'This version of the service cannot read what is in this event. What the log keeps beside it is here.'
		}
	},
	usage: {
		title: 'Usage',
		lead: 'Tokens and cost of everything agents did for you, from the log. What deleted features cost stays in it.',
		period: 'Period',
		periods: {
			all: 'All time',
			today: 'Today',
			week: 'Last 7 days',
			month: 'Last 30 days',
			own: 'Dates of your own'
		},
		from: 'From',
		to: 'Until and with',
		none: 'No agent worked in this time.',
		total: 'Together',
		cost: 'Cost',
		tokensIn: 'Tokens in',
		tokensOut: 'Tokens out',
		runs: 'Runs',
		lost: 'Superseded',
		lostHelp:
			'Superseded is what does not count any more: it failed, came too late, was cut off by a restart of ours, was replaced by a revision, a retry or going back, or its feature was deleted.',
		lostShare: (percent: string) => `${percent} superseded`,
		bars: { cost: 'Bars show cost.', tokens: 'Bars show tokens.' },
		by: {
			agent: 'By agent',
			model: 'By model',
			feature: 'By feature',
			day: 'By day',
			cause: 'Why it was paid'
		},
		name: {
			agent: 'Agent',
			model: 'Model',
			feature: 'Feature',
			day: 'Day',
			cause: 'Reason'
		},
		utc: 'Days by UTC',
		unknownModel: 'not known',
		all: (n: number) => `Show all ${n}`,
		cause: {
			in_use: 'In use',
			changed: 'Replaced by a change of yours',
			stopped: 'Cut off when you stopped work',
			failed_check: 'Failed its check, or brought nothing',
			failed_review: 'Failed its review',
			provider: 'By the provider’s fault',
			ours: 'By our fault',
			unread: 'Written by a newer version, not counted yet'
		} satisfies Record<SpendingCause, string>
	},
	/** What the same tokens would have cost. */
	whatIf: {
		title: 'What it would have cost',
		lead: 'The tokens that are recorded, at other prices. No model is asked, and what was recorded stays.',
		table: 'Prices of',
		model: 'At the prices of',
		ownModel: 'each model itself',
		recorded: 'Recorded',
		would: 'Would have cost',
		together: 'Together',
		unpriced: 'no price is known',
		partly: 'at least; some models have no known price',
		failed: 'That cannot be computed at the moment.'
	},
	time: {
		title: 'Time',
		slider: 'Version that this page shows',
		now: 'now',
		past: (n: number, latest: number) => `You are looking at version ${n} of ${latest}`,
		pastHelp:
			'The whole page shows the feature as it was then. Nothing can be changed in the past; you can go back to it, or try something else from there.',
		toNow: 'Back to now',
		earlier: 'One version earlier',
		later: 'One version later',
		play: 'Play',
		pause: 'Pause',
		compare: 'Compare with now',
		download: 'Download the code of then',
		badTitle: 'There is no such time',
		bad: 'The address names a time that this page cannot read, or one before this feature began. You see it as it is now.',
		notHere: 'Only some versions are places to go back to: the nearest one before is version',
		keys: 'Left and right arrow move one version'
	},
	fork: {
		button: 'Try something else from here',
		title: 'A second way from here',
		help: 'A new feature begins with everything up to here. This one stays as it is. Approvals are not taken along.',
		name: 'Title of the new feature',
		make: 'Make it',
		made: 'A second way begins here.',
		from: (n: number) => `Begun from version ${n} of another feature`,
		forks: 'Other ways that began here'
	},
	compare: {
		title: 'Compare',
		lead: 'Two versions of this feature, or of another way that began from it, side by side.',
		from: 'From',
		to: 'To',
		with: 'Of',
		this: 'this feature',
		choose: 'Choose two versions.',
		same: 'Nothing differs: the documents and files are the same.',
		documents: 'Documents',
		files: 'Files',
		runs: 'Work that only one side has',
		used: 'This work used',
		sides: 'Side by side',
		what: 'What',
		first: 'First',
		second: 'Second',
		sideOf: (title: string, n: number) => `${title}, version ${n}`,
		status: 'Where it stands',
		advice: { APPROVE: 'reviewer: approve', REVISE: 'reviewer: revise' },
		approved: 'approved',
		notApproved: 'not approved',
		verdict: { PASS: 'passed', FAIL: 'did not pass', UNDECIDED: 'no verdict' },
		nothing: '–',
		fileCount: 'Files',
		tokens: 'Tokens',
		cost: 'Cost',
		differs: 'differs',
		kind: { added: 'new', changed: 'changed', removed: 'gone' },
		side: { from: 'only in the first', to: 'only in the second' },
		shown: {
			whole: '',
			cut: 'The rest of this difference is left out: it is very long.',
			no_text: 'This file is no text.',
			too_large: 'Too large to compare line by line.'
		},
		atGate: 'What changed since the version before',
		hide: 'Show the whole text'
	},
	settings: {
		title: 'Settings',
		keyTitle: 'API key',
		keyLead:
			'Your own Anthropic key. It is stored sealed, used only for your features, and never shown again.',
		keyLabel: 'Anthropic API key',
		keyHint: 'Begins with sk-ant-. It is checked with Anthropic when that can be reached.',
		keySave: 'Store the key',
		keyReplace: 'Replace the key',
		keySaved: 'The key is stored.',
		keyNone: 'No key is stored.',
		keyNoneDemo: 'No key is stored, so the demo model answers.',
		keyThere: (last4: string) => `A key ending in ${last4} is stored`,
		keyVerified: 'Accepted by Anthropic',
		keyNotVerified: 'Not checked yet: Anthropic could not be reached',
		keySince: (when: string) => `since ${when}`,
		keyForget: 'Forget the key',
		keyForgotten: 'The key is gone.',
		back: 'Back to where you were',
		lookTitle: 'Appearance',
		look: { system: 'As the system', light: 'Light', dark: 'Dark' },
		browserTitle: 'In this browser',
		notify: 'Show a notification when it is my turn, while I look at something else',
		notifyDenied: 'This browser does not let us: allow notifications for this address in it first.',
		singleKeys: 'Single keys do something (such as n for a new feature)',
		sessionTitle: 'This session',
		sessionLead: 'Signing out ends it on this device, in all tabs.',
		signOut: 'Sign out',
		passwordTitle: 'Password',
		passwordLead:
			'A new one is set by a link in a letter to your address. It ends all your sessions, on every device.',
		passwordAsk: 'Ask for a new password',
		logKeyTitle: 'Public key of the log',
		logKeyLead:
			'Checkpoints of the whole log are signed with it. Keep a copy somewhere else: whoever checks the log later needs it, and it shows if the key was exchanged.',
		logKeyNone: 'Nothing is signed yet: the first checkpoint is made within a minute or so.'
	},
	/** Said while another tab or window is looked at. */
	myTurn: {
		title: 'It is your turn',
		body: 'A project came to where you decide.'
	},
	palette: {
		title: 'Find or do something',
		placeholder: 'A feature, a page, an action…',
		none: 'Nothing found.',
		groups: { here: 'On this page', pages: 'Pages', features: 'Features', app: 'This app' },
		look: (name: string) => `Appearance: ${name}`,
		hint: 'Arrows choose, Enter goes, Escape closes'
	},
	keys: {
		title: 'Keyboard',
		rows: [
			['Ctrl K', 'Find or do something'],
			['?', 'This list'],
			['g f', 'To the features'],
			['g s', 'To the settings'],
			['g a', 'To the audit'],
			['g u', 'To the usage'],
			['n', 'New feature'],
			['/', 'Search'],
			['j k', 'Next and previous in a list'],
			['[ ]', 'One version earlier, later'],
			['← →', 'In the timeline: from mark to mark'],
			['a', 'To the approval'],
			['d', 'Discuss'],
			['Esc', 'Close what is open']
		]
	},
	/** What to do about a problem, where the service's own words are for programs. */
	problem: {
		unauthenticated: 'Your session has ended. Sign in again: what you have typed here is kept.',
		session_ended: 'Your session has ended. Sign in again: what you have typed here is kept.',
		not_found: 'It is not there any more. Go back to the features.',
		not_now:
			'The feature has moved on, so this is not possible any more. The page shows how it stands now.',
		superseded: 'It has changed in the meantime. Look at it again, then decide.',
		version_conflict: 'It has changed in the meantime. Look at it again, then decide.',
		empty_brief:
			'There is no word in the brief yet. Write what the software should do, in at least one sentence.',
		no_such_checkpoint: 'There is no way back to that version. Choose another place under History.',
		api_key_missing:
			'An API key is needed first. Enter yours in the settings, then come back: what you have typed here is kept.',
		too_large: 'That is too much text at once. Make it shorter, then try again.',
		too_many_requests:
			'That was very often in a short time. Nothing was done, and what you have typed is kept.',
		internal_error:
			'Something went wrong on our side. Try again; if it happens again, tell the operator.',
		artifact_lost: 'A stored file cannot be read. Tell the operator.',
		event_damaged:
			'Part of this feature cannot be read. Your other features go on. Tell the operator.',
		newer_version:
			'A newer version of the service wrote to this feature, and the update is not through yet. Nothing is lost: try again in a few minutes.',
		key_not_given:
			'This feature cannot be opened at the moment: the operator has to give the service a key. Nothing is lost.',
		unavailable:
			'The service cannot reach something that it needs. Nothing was half done: try again in a moment.'
	} satisfies Partial<Record<Problem['code'], string>>,
	errors: {
		odd: 'The service answers with something that this page does not understand. Reload the page; if it happens again, tell the operator.',
		number: (id: string) => `(Number for the operator: ${id})`,
		/** How long to wait before trying again by hand. */
		again: (seconds: number) => `Try again in ${duration(seconds)}.`,
		/** It is tried again by itself. */
		waits: (seconds: number) =>
			`That was very often in a short time. It goes on by itself in ${duration(seconds)}.`,
		unreachable: 'The service cannot be reached. Check that it runs; then try again.',
		title: 'That did not work',
		missing: 'There is no such page',
		missingHelp: 'The address may be wrong, or what was there has moved.',
		home: 'To the start'
	}
} as const;
