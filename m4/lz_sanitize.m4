dnl SPDX-License-Identifier: BSD-3-Clause
dnl Copyright (c) 2026, the livezone authors
dnl
dnl LZ_SANITIZE: --enable-sanitize=address,undefined or =thread, for our own code only.
dnl A module built this way needs the sanitizer's runtime preloaded into Unbound.
AC_DEFUN([LZ_SANITIZE], [
	AC_ARG_ENABLE([sanitize],
		[AS_HELP_STRING([--enable-sanitize=LIST],
			[build our code with -fsanitize=LIST, e.g. address,undefined or thread])],
		[], [enable_sanitize=${enable_sanitize:-no}])
	AS_CASE([$enable_sanitize],
		[no], [lz_sanitize=],
		[yes], [lz_sanitize=address,undefined],
		[lz_sanitize=$enable_sanitize])
	AS_IF([test -n "$lz_sanitize"], [
		SANITIZE_CFLAGS="-fsanitize=$lz_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer"
		SANITIZE_LDFLAGS="-fsanitize=$lz_sanitize"
		lz_saved_cflags=$CFLAGS
		CFLAGS="$CFLAGS $SANITIZE_CFLAGS"
		AC_MSG_CHECKING([whether $CC links with -fsanitize=$lz_sanitize])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no])
			AC_MSG_ERROR([this compiler cannot link with -fsanitize=$lz_sanitize])])
		CFLAGS=$lz_saved_cflags
	])
	AC_SUBST([SANITIZE_CFLAGS])
	AC_SUBST([SANITIZE_LDFLAGS])
])
