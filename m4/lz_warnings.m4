dnl SPDX-License-Identifier: BSD-3-Clause
dnl Copyright (c) 2026, the livezone authors
dnl
dnl LZ_WARNINGS: the warnings our code keeps clean with gcc and clang, and --enable-werror.
dnl They go to WARN_CFLAGS, apart from the user's CFLAGS, so that no configure check sees them.
AC_DEFUN([LZ_WARNINGS], [
	AC_ARG_ENABLE([werror],
		[AS_HELP_STRING([--enable-werror], [treat warnings as errors])],
		[], [enable_werror=no])
	WARN_CFLAGS="-Wall -Wextra -Wshadow -Wconversion"
	AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])
