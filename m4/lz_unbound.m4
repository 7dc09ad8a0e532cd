dnl SPDX-License-Identifier: BSD-3-Clause
dnl Copyright (c) 2026, the livezone authors
dnl
dnl LZ_UNBOUND: --with-unbound-source=DIR, the configured tree of the very Unbound that will load
dnl livezone.so. DIR is where its configure ran; when the sources are elsewhere, its Makefile
dnl names them. Sets UNBOUND_BUILDDIR, UNBOUND_SRCDIR, UNBOUND_CPPFLAGS, the conditional
dnl WITH_MODULE, and HOST_MINOR (22 for 1.22.0). That is no part of livezone-config.h: module/ includes
dnl Unbound's config.h, whose PACKAGE_STRING and friends are other ones.
AC_DEFUN([LZ_UNBOUND], [
	AC_ARG_WITH([unbound-source],
		[AS_HELP_STRING([--with-unbound-source=DIR],
			[configured and built Unbound tree (scripts/build-unbound makes one)])],
		[], [with_unbound_source=no])
	AC_ARG_WITH([module],
		[AS_HELP_STRING([--without-module], [leave livezone.so out: no Unbound tree needed])],
		[], [with_module=yes])
	AM_CONDITIONAL([WITH_MODULE], [test "x$with_module" != xno])
	AS_IF([test "x$with_module" = xno],
		[lz_unbound_summary="none (--without-module)"
		UNBOUND_CONFIGURE_FLAG=--without-module],
		[_LZ_UNBOUND_TREE
		_LZ_UNBOUND_COMPILES
		lz_unbound_summary="Unbound $lz_unbound_version in $UNBOUND_BUILDDIR"
		UNBOUND_CONFIGURE_FLAG="--with-unbound-source=$UNBOUND_BUILDDIR"])
	AC_SUBST([UNBOUND_BUILDDIR])
	AC_SUBST([UNBOUND_SRCDIR])
	AC_SUBST([UNBOUND_CPPFLAGS])
	AC_SUBST([UNBOUND_CONFIGURE_FLAG])
])

dnl Finds both directories and the version; every failure says what to do.
AC_DEFUN([_LZ_UNBOUND_TREE], [
	AS_CASE([$with_unbound_source], [no|yes|''],
		[AC_MSG_ERROR([the module needs --with-unbound-source=DIR (scripts/build-unbound makes such a tree), or give --without-module])])
	AC_MSG_CHECKING([the Unbound tree])
	UNBOUND_BUILDDIR=`cd "$with_unbound_source" 2>/dev/null && pwd`
	AS_IF([test ! -f "$UNBOUND_BUILDDIR/config.h" || test ! -f "$UNBOUND_BUILDDIR/Makefile"],
		[AC_MSG_ERROR([$with_unbound_source is no configured Unbound tree: no config.h or no Makefile there])])
	lz_unbound_srcdir=`$SED -n 's/^srcdir=//p' "$UNBOUND_BUILDDIR/Makefile"`
	UNBOUND_SRCDIR=`cd "$UNBOUND_BUILDDIR" && cd "${lz_unbound_srcdir:-.}" && pwd`
	AS_IF([test ! -f "$UNBOUND_SRCDIR/util/module.h"],
		[AC_MSG_ERROR([no util/module.h in $UNBOUND_SRCDIR, the source directory of $UNBOUND_BUILDDIR])])
	lz_unbound_version=`$SED -n 's/^#define PACKAGE_VERSION "\(.*\)"/\1/p' "$UNBOUND_BUILDDIR/config.h"`
	lz_unbound_minor=`echo "$lz_unbound_version" | $SED -n 's/^1\.\([[0-9]][[0-9]]*\).*/\1/p'`
	AC_MSG_RESULT([$lz_unbound_version in $UNBOUND_BUILDDIR])
	AS_IF([test -z "$lz_unbound_minor" || test "$lz_unbound_minor" -lt 17],
		[AC_MSG_ERROR([Unbound '$lz_unbound_version' is not supported: 1.17.1 or later is needed])])
	# -isystem: their headers are not held to our warnings
	UNBOUND_CPPFLAGS="-DHOST_MINOR=$lz_unbound_minor -isystem $UNBOUND_BUILDDIR -isystem $UNBOUND_SRCDIR"
])

AC_DEFUN([_LZ_UNBOUND_COMPILES], [
	lz_saved_cppflags=$CPPFLAGS
	CPPFLAGS="$UNBOUND_CPPFLAGS $CPPFLAGS"
	AC_MSG_CHECKING([whether that Unbound loads dynamic modules])
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
			#include "config.h"
			#include "util/module.h"
			#ifndef WITH_DYNLIBMODULE
			#error built without dynlib
			#endif
		]], [])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([the tree does not compile, or was configured without --with-dynlibmodule: see config.log])])
	CPPFLAGS=$lz_saved_cppflags
])
