/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The zones that Unbound answers by itself, before any module, unless configured otherwise
 * (unbound.conf(5), local-zone; RFC 6303, 6761, 7534).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/dns/presentation.h"

/* Writes the name of the *inout_index-th one and counts on; false at the end. */
bool local_zones_next(size_t *inout_index, char out[PRESENTATION_NAME_MAX]);
