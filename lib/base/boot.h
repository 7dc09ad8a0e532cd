/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Which boot of the machine this is.
 */
#pragma once

#include <stdint.h>

#define BOOT_ID_SIZE 16
#define BOOT_TEXT_SIZE 37 /* with its end */

/* The kernel's boot id as bytes; zero where it cannot be read. */
void boot_read_id(uint8_t out[BOOT_ID_SIZE]);

/* The same as the kernel writes it; empty where it cannot be read, as in a chroot without
 * /proc. */
void boot_read_text(char out[BOOT_TEXT_SIZE]);
