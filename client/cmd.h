/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The commands, one in each cmd_*.c: they do what the line asks for and say it, errors
 * included.
 */
#pragma once

#include "client/command.h"

enum command_exit cmd_acknowledge(const struct command_line *line);
enum command_exit cmd_apply(const struct command_line *line);
enum command_exit cmd_backup(const struct command_line *line);
enum command_exit cmd_check_config(const struct command_line *line);
enum command_exit cmd_delete(const struct command_line *line);
enum command_exit cmd_explain(const struct command_line *line);
enum command_exit cmd_export(const struct command_line *line);
enum command_exit cmd_get(const struct command_line *line);
enum command_exit cmd_heartbeat(const struct command_line *line);
enum command_exit cmd_help(const struct command_line *line);
enum command_exit cmd_import(const struct command_line *line);
enum command_exit cmd_list(const struct command_line *line);
enum command_exit cmd_put(const struct command_line *line);
enum command_exit cmd_restore(const struct command_line *line);
enum command_exit cmd_status(const struct command_line *line);
enum command_exit cmd_unbound_conf(const struct command_line *line);
enum command_exit cmd_watch(const struct command_line *line);
