dnl SPDX-License-Identifier: BSD-3-Clause
dnl Copyright (c) 2026, the livezone authors
dnl
dnl LZ_FUZZING: --enable-fuzzing builds tests/fuzz with libFuzzer (clang only), and all of our code
dnl with its coverage counters, AddressSanitizer and UBSan. Before LZ_SANITIZE. Sets FUZZ_LIBS and
dnl the conditional FUZZING.
AC_DEFUN([LZ_FUZZING], [
	AC_ARG_ENABLE([fuzzing],
		[AS_HELP_STRING([--enable-fuzzing],
			[build the fuzz targets with libFuzzer: needs CC=clang])],
		[], [enable_fuzzing=no])
	AM_CONDITIONAL([FUZZING], [test "x$enable_fuzzing" != xno])
	AS_IF([test "x$enable_fuzzing" != xno], [
		FUZZ_LIBS=-fsanitize=fuzzer
		enable_sanitize=fuzzer-no-link,address,undefined
	])
	AC_SUBST([FUZZ_LIBS])
])
