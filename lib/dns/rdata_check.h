/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is the text of an rdata field safe and right, as far as ldns does not look? It lets
 * numbers wrap (port 70000 becomes 4464), ignores what is left over, and is unsafe with some
 * foreign text. Internal to the rdata files. No state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* `text` may be written to and comes back as it was; `max` is for numbers. */
typedef bool (*rdata_check_fn)(char *text, uint32_t max);

/* Decimal digits only, up to `max`. */
bool rdata_check_number(char *text, uint32_t max);

/* A number up to `max`, or a word that ldns looks up. */
bool rdata_check_mnemonic(char *text, uint32_t max);

/* Seconds as in a TTL. */
bool rdata_check_period(char *text, uint32_t max);

/* YYYYMMDDHHmmSS, or seconds since 1970 in 32 bits. */
bool rdata_check_clock(char *text, uint32_t max);

/* Pairs of hex digits; blanks may be anywhere. */
bool rdata_check_hex(char *text, uint32_t max);

/* Hex digits in groups; sscanf in ldns would take signs and 0x. */
bool rdata_check_digits_apart(char *text, uint32_t max);

/* A type that can be stored. */
bool rdata_check_type(char *text, uint32_t max);

/* A list of such types, with a limit. */
bool rdata_check_bitmap(char *text, uint32_t max);

/* LOC; ldns does not look at what is left behind the last number. */
bool rdata_check_location(char *text, uint32_t max);

/* APL: [!]family:address/bits; ldns takes the bits modulo 256. */
bool rdata_check_prefix(char *text, uint32_t max);

/* IPSECKEY: exactly five words, the first three numbers, the last base64: ldns leaks at a
 * sixth word and at a bad key. */
bool rdata_check_gateway(char *text, uint32_t max);

/* HIP: the algorithm is a number up to 255. */
bool rdata_check_host_identity(char *text, uint32_t max);

/* SVCB parameters, which ldns reads into buffers of fixed size. */
bool rdata_check_service(char *text, uint32_t max);
