/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * livezonectl: the table of commands; finds the command, reads its line, runs it. Exit codes in
 * command.h. The completion in client/completion names the same commands and options;
 * tests/integration/test_completion.py compares them.
 */
#include <stdio.h>
#include <string.h>

#include "client/command.h"
#include "livezone-config.h"

const struct command_option command_globals[] = {
	{ "api", "ADDRESS", "unix:/path/api.sock or http://host:port" },
	{ "config", "FILE", "livezone.yaml, where the API's address is looked up" },
	{ "token-file", "FILE", "file with the token; or set LIVEZONE_TOKEN" },
	{ "json", NULL, "print JSON for programs" },
	{ "help", NULL, "explain the command" },
	{ NULL, NULL, NULL },
};

static const struct command_option put_options[] = {
	{ "ttl", "SECONDS", "time to live; the zone's own when not given" },
	{ "source", "NAME", "who writes this; \"api\" when not given" },
	{ "lease", "DURATION", "30s, 5m, ...: the record ends when not renewed in time" },
	{ "if-revision", "N", "only when the RRset is still at this revision" },
	{ "create", NULL, "only when the RRset does not exist" },
	{ NULL, NULL, NULL },
};

static const struct command_option delete_options[] = {
	{ "if-revision", "N", "only when the RRset is still at this revision" },
	{ NULL, NULL, NULL },
};

static const struct command_option list_options[] = {
	{ "zones", NULL, "the zones with their counts and policies" },
	{ "sources", NULL, "who writes here, how much, how fresh" },
	{ NULL, NULL, NULL },
};

static const struct command_option apply_options[] = {
	{ "source", "NAME", "whose desired state this is (required)" },
	{ "dry-run", NULL, "show the difference, write nothing" },
	{ "force", NULL, "take over from other sources, delete any number" },
	{ "max-delete", "PERCENT", "refuse to delete more; 50 when not given" },
	{ "lease", "DURATION", "for RRsets that give none" },
	{ "origin", "NAME", "origin of a master file; the root when not given" },
	{ NULL, NULL, NULL },
};

static const struct command_option import_options[] = {
	{ "source", "NAME", "who writes this; \"api\" when not given" },
	{ "if-revision", "N", "only when the zone is still at this revision" },
	{ NULL, NULL, NULL },
};

static const struct command_option watch_options[] = {
	{ "since", "N", "begin after this revision; with the next change when not given" },
	{ "values", NULL, "print what was and what is, when and by whom" },
	{ "zone", "ZONE", "only names of this zone" },
	{ NULL, NULL, NULL },
};

static const struct command_option history_options[] = {
	{ "type", "TYPE", "only RRsets of this type" },
	{ "zone", "ZONE", "only names of this zone" },
	{ "since", "MOMENT", "above this revision, since this time, or for so long: 2h" },
	{ "until", "MOMENT", "up to this revision or time" },
	{ NULL, NULL, NULL },
};

static const struct command_option rollback_options[] = {
	{ "zone", "ZONE", "this zone only; all live zones when not given" },
	{ "dry-run", NULL, "show the difference, write nothing" },
	{ "force", NULL, "undo newer writes of other sources, too" },
	{ NULL, NULL, NULL },
};

static const struct command_option fragment_options[] = {
	{ "address", "ADDRESS", "where this Unbound listens; 127.0.0.1 when not given" },
	{ "port", "N", "its port; 53 when not given" },
	{ "module", "FILE", "livezone.so, when it is not the installed one" },
	{ "without-module", NULL, "for an Unbound that cannot load it: fallback records alone" },
	{ NULL, NULL, NULL },
};

const struct command command_table[] = {
	{ .name = "put", .arguments = "NAME TYPE RDATA...",
		.summary = "write one RRset, one argument for each record",
		.options = put_options, .arguments_min = 3, .arguments_max = COMMAND_ANY,
		.run = cmd_put },
	{ .name = "get", .arguments = "NAME [TYPE]",
		.summary = "show the RRsets at a name",
		.arguments_min = 1, .arguments_max = 2, .run = cmd_get },
	{ .name = "delete", .arguments = "NAME TYPE",
		.summary = "remove one RRset",
		.options = delete_options, .arguments_min = 2, .arguments_max = 2,
		.run = cmd_delete },
	{ .name = "list", .arguments = "[ZONE]",
		.summary = "show all RRsets of a zone, or of every zone",
		.options = list_options, .arguments_max = 1, .run = cmd_list },
	{ .name = "apply", .arguments = "FILE",
		.summary = "make a source own exactly the RRsets of a file",
		.options = apply_options, .arguments_min = 1, .arguments_max = 1,
		.run = cmd_apply },
	{ .name = "export", .arguments = "ZONE",
		.summary = "write a zone as a master file to standard output",
		.arguments_min = 1, .arguments_max = 1, .run = cmd_export },
	{ .name = "import", .arguments = "ZONE FILE",
		.summary = "replace a zone by a master file or JSON",
		.options = import_options, .arguments_min = 2, .arguments_max = 2,
		.run = cmd_import },
	{ .name = "heartbeat", .arguments = "SOURCE",
		.summary = "renew every lease of a source",
		.arguments_min = 1, .arguments_max = 1, .run = cmd_heartbeat },
	{ .name = "watch", .arguments = "",
		.summary = "print changes as they come",
		.options = watch_options, .run = cmd_watch },
	{ .name = "history", .arguments = "[NAME]",
		.summary = "show what changed, when and by whom",
		.options = history_options, .arguments_max = 1, .run = cmd_history },
	{ .name = "rollback", .arguments = "REVISION",
		.summary = "bring back what was there at a revision",
		.options = rollback_options, .arguments_min = 1, .arguments_max = 1,
		.run = cmd_rollback },
	{ .name = "explain", .arguments = "NAME TYPE",
		.summary = "show what DNS answers, and why",
		.arguments_min = 2, .arguments_max = 2, .run = cmd_explain },
	{ .name = "status", .arguments = "",
		.summary = "show the state of livezoned and of its Unbounds",
		.run = cmd_status },
	{ .name = "acknowledge", .arguments = "ALARM",
		.summary = "end an alarm that status shows",
		.arguments_min = 1, .arguments_max = 1, .run = cmd_acknowledge },
	{ .name = "unbound-conf", .arguments = "",
		.summary = "print the Unbound settings for a livezone.yaml",
		.options = fragment_options, .run = cmd_unbound_conf },
	{ .name = "check-config", .arguments = "[FILE]",
		.summary = "check a livezone.yaml",
		.arguments_max = 1, .run = cmd_check_config },
	{ .name = "backup", .arguments = "[FILE]",
		.summary = "write the whole state to a file or standard output",
		.arguments_max = 1, .run = cmd_backup },
	{ .name = "restore", .arguments = "FILE",
		.summary = "replace the whole state by a backup",
		.arguments_min = 1, .arguments_max = 1, .run = cmd_restore },
	{ .name = "help", .arguments = "[COMMAND]",
		.summary = "explain the commands",
		.arguments_max = 1, .run = cmd_help },
	{ .name = NULL },
};

static enum command_exit run(const struct command *command, int count, char **words);

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *command;
	enum command_exit result;

	if (strcmp(name, "--version") == 0) {
		puts("livezonectl " PACKAGE_VERSION);
		return COMMAND_OK;
	}
	if (strcmp(name, "--help") == 0)
		name = "help";
	command = command_find(name);
	if (!command) {
		command_complain("no such command: %s\n  livezonectl help lists them", name);
		return COMMAND_USAGE;
	}
	result = run(command, argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : argc));
	/* no command: the list is shown, but nothing was done */
	return argc > 1 ? (int)result : COMMAND_USAGE;
}

const struct command *
command_find(const char *name)
{
	for (const struct command *command = command_table; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static enum command_exit
run(const struct command *command, int count, char **words)
{
	struct command_line line;
	enum command_exit result = command_read(command, count, words, &line);

	if (result)
		return result;
	if (command_has(&line, "help")) {
		char *name[] = { (char *)command->name };
		struct command_line help = { .command = command_find("help"), .count = 1,
			.argument = name };

		return cmd_help(&help);
	}
	result = command->run(&line);
	if (fflush(stdout) != 0 && result == COMMAND_OK) {
		command_complain("standard output cannot be written");
		return COMMAND_REFUSED;
	}
	return result;
}
