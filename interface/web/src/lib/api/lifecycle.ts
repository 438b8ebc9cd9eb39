/** Made by `./bp openapi` from domain/lifecycle.py and domain/pipeline.py; never edited by hand. */
export const lifecycle = {
	"statuses": [
		{
			"status": "drafting",
			"stage": null,
			"gate": null,
			"working": false,
			"steps": [],
			"actions": [
				"discuss",
				"confirm",
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "spec_generating",
			"stage": "spec",
			"gate": null,
			"working": true,
			"steps": [
				"spec"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "spec_ready",
			"stage": "spec",
			"gate": "spec",
			"working": false,
			"steps": [],
			"actions": [
				"approve",
				"edit",
				"discuss",
				"revise",
				"rewrite",
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "spec_approved",
			"stage": "plan",
			"gate": null,
			"working": true,
			"steps": [
				"plan"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "plan_generating",
			"stage": "plan",
			"gate": null,
			"working": true,
			"steps": [
				"plan"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "plan_ready",
			"stage": "plan",
			"gate": "plan",
			"working": false,
			"steps": [],
			"actions": [
				"approve",
				"edit",
				"discuss",
				"revise",
				"rewrite",
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "plan_approved",
			"stage": "tests",
			"gate": null,
			"working": true,
			"steps": [
				"tests"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "tests_generating",
			"stage": "tests",
			"gate": null,
			"working": true,
			"steps": [
				"tests"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "tests_ready",
			"stage": "tests",
			"gate": "tests",
			"working": false,
			"steps": [],
			"actions": [
				"approve",
				"edit",
				"discuss",
				"revise",
				"rewrite",
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "tests_approved",
			"stage": "implementation",
			"gate": null,
			"working": true,
			"steps": [
				"implement"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "implementing",
			"stage": "implementation",
			"gate": null,
			"working": true,
			"steps": [
				"implement"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "review",
			"stage": "review",
			"gate": null,
			"working": true,
			"steps": [
				"security_review",
				"code_review"
			],
			"actions": [
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "done",
			"stage": null,
			"gate": null,
			"working": false,
			"steps": [],
			"actions": [
				"discuss",
				"revise",
				"replay",
				"fork",
				"rename",
				"delete",
				"download"
			]
		},
		{
			"status": "failed",
			"stage": null,
			"gate": null,
			"working": false,
			"steps": [],
			"actions": [
				"discuss",
				"revise",
				"retry",
				"replay",
				"fork",
				"rename",
				"delete"
			]
		},
		{
			"status": "deleted",
			"stage": null,
			"gate": null,
			"working": false,
			"steps": [],
			"actions": []
		}
	],
	"actions": [
		"approve",
		"edit",
		"discuss",
		"confirm",
		"revise",
		"rewrite",
		"retry",
		"replay",
		"fork",
		"rename",
		"delete",
		"stop",
		"resume",
		"download"
	],
	"stages": [
		"spec",
		"plan",
		"tests",
		"implementation",
		"review"
	],
	"steps": [
		{
			"step": "converse",
			"agent": "ba",
			"stage": null,
			"gate": null,
			"dispensable": true
		},
		{
			"step": "spec",
			"agent": "spec",
			"stage": "spec",
			"gate": null,
			"dispensable": false
		},
		{
			"step": "title",
			"agent": "title",
			"stage": null,
			"gate": null,
			"dispensable": true
		},
		{
			"step": "align_spec",
			"agent": "alignment_review",
			"stage": null,
			"gate": "spec",
			"dispensable": true
		},
		{
			"step": "plan",
			"agent": "planner",
			"stage": "plan",
			"gate": null,
			"dispensable": false
		},
		{
			"step": "align_plan",
			"agent": "alignment_review",
			"stage": null,
			"gate": "plan",
			"dispensable": true
		},
		{
			"step": "tests",
			"agent": "contract_test",
			"stage": "tests",
			"gate": null,
			"dispensable": false
		},
		{
			"step": "align_tests",
			"agent": "alignment_review",
			"stage": null,
			"gate": "tests",
			"dispensable": true
		},
		{
			"step": "implement",
			"agent": "implementer",
			"stage": "implementation",
			"gate": null,
			"dispensable": false
		},
		{
			"step": "security_review",
			"agent": "security_review",
			"stage": "review",
			"gate": null,
			"dispensable": false
		},
		{
			"step": "code_review",
			"agent": "code_review",
			"stage": "review",
			"gate": null,
			"dispensable": false
		}
	],
	"events": [
		{
			"type": "feature_created",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "feature_forked",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "part_carried",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "feature_renamed",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "feature_deleted",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "message_posted",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "agent_replied",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "brief_confirmed",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "brief_revised",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "step_started",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "attempt_failed",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "run_discarded",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "spec_generated",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "spec_approved",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "plan_generated",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "plan_approved",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "tests_generated",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "tests_approved",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "rewrite_requested",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "spec_edited",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "plan_edited",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "tests_edited",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "approval_renewed",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "recommendation_made",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "feature_titled",
			"checkpoint": false,
			"result": true
		},
		{
			"type": "implementation_completed",
			"checkpoint": true,
			"result": true
		},
		{
			"type": "security_reviewed",
			"checkpoint": false,
			"result": true
		},
		{
			"type": "code_reviewed",
			"checkpoint": false,
			"result": true
		},
		{
			"type": "verdict_reached",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "mending_started",
			"checkpoint": true,
			"result": false
		},
		{
			"type": "mending_stopped",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "step_abandoned",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "feature_failed",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "feature_retried",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "feature_replayed",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "work_stopped",
			"checkpoint": false,
			"result": false
		},
		{
			"type": "work_resumed",
			"checkpoint": false,
			"result": false
		}
	],
	"ours": [
		"lease_lost",
		"outcome_unknown",
		"worker_stopped"
	],
	"streams": {
		"answer": [
			"delta",
			"question",
			"brief",
			"done",
			"error"
		],
		"passing": [
			"delta",
			"file",
			"progress"
		]
	}
} as const;
