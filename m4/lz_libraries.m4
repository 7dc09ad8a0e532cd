dnl SPDX-License-Identifier: BSD-3-Clause
dnl Copyright (c) 2026, the livezone authors
dnl
dnl LZ_LIBRARIES: every library we use, by pkg-config; the packages are in scripts/packages.
dnl Each gives NAME_CFLAGS and NAME_LIBS. cmocka is for the unit tests only: without it
dnl programs are built, and `make check` fails.
AC_DEFUN([LZ_LIBRARIES], [
	PKG_CHECK_MODULES([MICROHTTPD], [libmicrohttpd >= 0.9.71])
	PKG_CHECK_MODULES([JSON], [json-c >= 0.15])
	PKG_CHECK_MODULES([CURL], [libcurl >= 7.74])
	PKG_CHECK_MODULES([YAML], [yaml-0.1 >= 0.2])
	PKG_CHECK_MODULES([CRYPTO], [libcrypto >= 1.1.1])
	PKG_CHECK_MODULES([ISAL], [libisal >= 2.30])
	PKG_CHECK_MODULES([LMDB], [lmdb >= 0.9.24])
	PKG_CHECK_MODULES([PCRE2], [libpcre2-8 >= 10.36])
	PKG_CHECK_MODULES([SYSTEMD], [libsystemd])
	PKG_CHECK_MODULES([LDNS], [ldns >= 1.7], [], [
		AC_CHECK_LIB([ldns], [ldns_rr_new_frm_str], [LDNS_LIBS=-lldns],
			[AC_MSG_ERROR([libldns is missing: install libldns-dev])])
	])
	PKG_CHECK_MODULES([CMOCKA], [cmocka >= 1.1.5], [lz_have_cmocka=yes], [lz_have_cmocka=no])
	AM_CONDITIONAL([HAVE_CMOCKA], [test "$lz_have_cmocka" = yes])
])
