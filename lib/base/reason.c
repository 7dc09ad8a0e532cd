/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Error text with a fixed buffer; called from everywhere, on any thread.
 */
#include "lib/base/reason.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"

int
reason_set(struct reason *reason, int status, const char *format, ...)
{
	va_list args;

	if (reason) {
		va_start(args, format);
		vsnprintf(reason->text, sizeof(reason->text), format, args);
		va_end(args);
	}
	return status;
}

int
reason_errno(struct reason *reason, int code, const char *what)
{
	int status;

	switch (code) {
	case ENOENT:
		status = STATUS_NOT_FOUND;
		break;
	case ENOSPC:
	case EDQUOT:
		status = STATUS_FULL;
		break;
	case EAGAIN:
	case EROFS:
		status = STATUS_UNAVAILABLE;
		break;
	case ENOMEM:
		status = STATUS_NO_MEMORY;
		break;
	default:
		status = STATUS_IO;
	}
	return reason ? reason_set(reason, status, "%s: %s", what, strerror(code)) : status;
}

int
reason_prefix(struct reason *reason, int status, const char *format, ...)
{
	char context[REASON_MAX];
	struct reason old;
	va_list args;

	if (!reason)
		return status;
	old = *reason;
	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	if (snprintf(reason->text, sizeof(reason->text), "%s: %s", context, old.text) < 0)
		*reason = old;
	return status;
}

void
reason_excerpt(const char *text, char out[REASON_EXCERPT_SIZE])
{
	size_t i = 0;

	for (; text[i] && i < REASON_EXCERPT_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c >= 0x7f)
			out += sprintf(out, "\\%03u", c);
		else
			*out++ = (char)c;
	}
	strcpy(out, text[i] ? "..." : "");
}
