# SPDX-License-Identifier: Apache-2.0
"""The benchmark: tests/bench/run measures, docs/performance.md tells."""
