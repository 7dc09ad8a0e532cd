/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Which boot of the machine this is.
 */
#pragma once

#include <stdint.h>

#define BOOT_ID_SIZE 16

/* The kernel's boot id as bytes; zero where it cannot be read. */
void boot_read_id(uint8_t out[BOOT_ID_SIZE]);
