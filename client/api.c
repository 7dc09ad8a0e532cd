/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * HTTP by libcurl's easy interface, one handle for all requests of a command.
 */
#include "client/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"

struct api {
	CURL *curl;
	char *address; /* as given, for messages */
	char *base;    /* "http://host:port", or of the unix socket any host */
	char *socket;  /* NULL for TCP */
	char *token;   /* header line, or NULL */
};

/* One request on its way; lives on the stack of api_send. */
struct transfer {
	struct api *api;
	const struct api_request *request;
	struct api_reply reply;
	size_t room;
	size_t sent; /* of request->body */
	int status;  /* of our own callbacks */
};

static int parse_address(struct api *api, const char *address, struct reason *reason);
static struct curl_slist *make_headers(const struct transfer *transfer);
static bool add_header(struct curl_slist **list, const char *name, const char *value);
static void set_body(struct transfer *transfer);
static int status_from_curl(struct transfer *transfer, CURLcode code,
	struct reason *reason);
static int unreachable(struct api *api, CURLcode code, struct reason *reason);
static size_t on_body(char *data, size_t size, size_t count, void *context);
static size_t on_read(char *buffer, size_t size, size_t count, void *context);
static int on_seek(void *context, curl_off_t offset, int origin);

int
api_open(const char *address, const char *token, struct api **out, struct reason *reason)
{
	struct api *api = calloc(1, sizeof(*api));
	int status;

	if (!api)
		return STATUS_NO_MEMORY;
	status = parse_address(api, address, reason);
	if (status == 0 && token && strpbrk(token, "\r\n"))
		status = reason_set(reason, STATUS_INVALID, "the token has a line break in it");
	if (status == 0 && token
		&& asprintf(&api->token, "Authorization: Bearer %s", token) < 0)
		status = STATUS_NO_MEMORY;
	if (status == 0 && !(api->curl = curl_easy_init()))
		status = reason_set(reason, STATUS_NO_MEMORY, "libcurl does not start");
	if (status) {
		api_close(api);
		return status;
	}
	*out = api;
	return 0;
}

void
api_close(struct api *api)
{
	if (!api)
		return;
	curl_easy_cleanup(api->curl);
	free(api->address);
	free(api->base);
	free(api->socket);
	free(api->token);
	free(api);
}

int
api_send(struct api *api, const struct api_request *request, struct api_reply *out,
	struct reason *reason)
{
	struct transfer transfer = { .api = api, .request = request };
	struct curl_slist *headers = make_headers(&transfer);
	unsigned timeout_s = request->timeout_s ? request->timeout_s : API_TIMEOUT_S;
	char *url = NULL;
	CURL *curl = api->curl;
	CURLcode code;
	int status;

	if (!headers || asprintf(&url, "%s%s", api->base, request->path) < 0) {
		curl_slist_free_all(headers);
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	curl_easy_reset(curl);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, api->socket);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "livezonectl");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
	if (request->body || request->body_file)
		set_body(&transfer);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
	status = status_from_curl(&transfer, code, reason);
	curl_slist_free_all(headers);
	free(url);
	if (status) {
		api_reply_done(&transfer.reply);
		return status;
	}
	*out = transfer.reply;
	return 0;
}

void
api_reply_done(struct api_reply *reply)
{
	free(reply->body);
	memset(reply, 0, sizeof(*reply));
}

static int
parse_address(struct api *api, const char *address, struct reason *reason)
{
	size_t len = strlen(address);

	if (!(api->address = strdup(address)))
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (strncmp(address, "unix:/", 6) == 0) {
		api->socket = strdup(address + 5);
		api->base = strdup("http://localhost");
		return api->socket && api->base ? 0 : STATUS_NO_MEMORY;
	}
	while (len > 0 && address[len - 1] == '/')
		len--;
	if (strncmp(address, "http://", 7) != 0 && strncmp(address, "https://", 8) != 0)
		return reason_set(reason, STATUS_INVALID,
			"\"%s\" is not the address of an API: unix:/path or http://host:port",
			address);
	api->base = strndup(address, len);
	return api->base ? 0 : STATUS_NO_MEMORY;
}

static struct curl_slist *
make_headers(const struct transfer *transfer)
{
	const struct api_request *request = transfer->request;
	struct curl_slist *list = NULL;
	bool ok = add_header(&list, "Accept", request->accept ? request->accept : "*/*");

	if (ok && request->content_type)
		ok = add_header(&list, "Content-Type", request->content_type);
	if (ok && request->if_match)
		ok = add_header(&list, "If-Match", request->if_match);
	if (ok && request->if_absent)
		ok = add_header(&list, "If-None-Match", "*");
	/* Only a long body is worth asking first whether it is wanted. */
	if (ok && request->body)
		ok = add_header(&list, "Expect", NULL);
	if (ok && transfer->api->token) {
		struct curl_slist *longer = curl_slist_append(list, transfer->api->token);

		ok = longer != NULL;
		list = longer ? longer : list;
	}
	if (ok)
		return list;
	curl_slist_free_all(list);
	return NULL;
}

static bool
add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct curl_slist *longer;
	char *line;

	/* "Name:" takes out what libcurl would say by itself */
	if (asprintf(&line, "%s:%s%s", name, value ? " " : "", value ? value : "") < 0)
		return false;
	longer = curl_slist_append(*list, line);
	free(line);
	if (!longer)
		return false;
	*list = longer;
	return true;
}

static void
set_body(struct transfer *transfer)
{
	const struct api_request *request = transfer->request;
	CURL *curl = transfer->api->curl;
	curl_off_t size = (curl_off_t)request->body_len;
	struct stat st;

	/* A pipe has no size: libcurl sends it in chunks. */
	if (request->body_file) {
		off_t here = ftello(request->body_file);

		size = -1;
		if (here >= 0 && fstat(fileno(request->body_file), &st) == 0
			&& S_ISREG(st.st_mode))
			size = st.st_size - here;
	}
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, size);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
	/* curl_easy_setopt(UPLOAD) made it PUT */
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static int
status_from_curl(struct transfer *transfer, CURLcode code, struct reason *reason)
{
	if (transfer->status == STATUS_TOO_LARGE)
		return reason_set(reason, STATUS_TOO_LARGE,
			"the reply is longer than %d MiB: use export or backup",
			API_REPLY_MAX / 1024 / 1024);
	if (transfer->status)
		return reason_set(reason, transfer->status, "%s", strerror(errno));
	/* An error that came before the whole body was sent is an answer all the same. */
	if (code == CURLE_OK
		|| (code == CURLE_SEND_ERROR && transfer->reply.status >= 400))
		return 0;
	return unreachable(transfer->api, code, reason);
}

/* What went wrong, and what to do. */
static int
unreachable(struct api *api, CURLcode code, struct reason *reason)
{
	long number = 0;
	const char *what = curl_easy_strerror(code);
	const char *cure = "see livezonectl status and the log of livezoned";

	curl_easy_getinfo(api->curl, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT) {
		if (api->socket && access(api->socket, W_OK) != 0)
			number = errno;
		what = strerror((int)number);
		cure = "is livezoned running? --api or LIVEZONE_API names another address";
	}
	if (code == CURLE_COULDNT_CONNECT && number == EACCES)
		cure = "your user must be in the socket's group and in api.allow-users";
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		cure = "--api or LIVEZONE_API names another address";
	if (code == CURLE_OPERATION_TIMEDOUT)
		what = "no answer in time";
	return reason_set(reason, STATUS_UNAVAILABLE, "cannot reach livezoned at %s: %s (%s)",
		api->address, what, cure);
}

static size_t
on_body(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	struct api_reply *reply = &transfer->reply;
	size_t len = size * count;

	curl_easy_getinfo(transfer->api->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	if (transfer->request->sink && reply->status / 100 == 2) {
		if (fwrite(data, 1, len, transfer->request->sink) == len)
			return len;
		transfer->status = STATUS_IO;
		return 0;
	}
	if (len > API_REPLY_MAX - reply->len) {
		transfer->status = STATUS_TOO_LARGE;
		return 0;
	}
	if (reply->len + len >= transfer->room) {
		size_t room = 2 * (reply->len + len) + 4096;
		char *longer = realloc(reply->body, room);

		if (!longer) {
			transfer->status = STATUS_NO_MEMORY;
			return 0;
		}
		reply->body = longer;
		transfer->room = room;
	}
	memcpy(reply->body + reply->len, data, len);
	reply->len += len;
	reply->body[reply->len] = '\0';
	return len;
}

static size_t
on_read(char *buffer, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	const struct api_request *request = transfer->request;
	size_t len = size * count;

	if (request->body_file) {
		len = fread(buffer, 1, len, request->body_file);
		if (!ferror(request->body_file))
			return len;
		transfer->status = STATUS_IO;
		return CURL_READFUNC_ABORT;
	}
	if (len > request->body_len - transfer->sent)
		len = request->body_len - transfer->sent;
	memcpy(buffer, request->body + transfer->sent, len);
	transfer->sent += len;
	return len;
}

/* libcurl starts again when a connection that was kept open turned out to be closed. */
static int
on_seek(void *context, curl_off_t offset, int origin)
{
	struct transfer *transfer = context;

	if (transfer->request->body_file || origin != SEEK_SET || offset < 0
		|| (size_t)offset > transfer->request->body_len)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}
