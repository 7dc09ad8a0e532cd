/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * json-c's objects from a text that json.c has checked. json-c's own tokener is not used: up
 * to 0.16 it does not look whether it got the memory that it asked for, and gives back an
 * object from which a member, an element or the end of a string is missing. Any thread.
 */
#pragma once

#include <stddef.h>

struct json_object;

/* Reads the one value that the text is, with space in front; it is well-formed. *out is the
 * caller's, NULL is JSON's null. Returns 0 or STATUS_NO_MEMORY. */
int json_build(const char *text, size_t len, struct json_object **out);

/* Bytes of the UTF-8 character (RFC 3629) at `at`; 0 when there is none. */
size_t json_build_utf8_length(const char *at, const char *end);
