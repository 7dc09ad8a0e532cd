# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
"""What the integration tests share: processes, ports, DNS and HTTP. See conftest.py."""
