# SPDX-License-Identifier: Apache-2.0
"""The worker dies, at any moment and at chosen ones, and nobody who reads notices."""
