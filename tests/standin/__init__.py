# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the systems irsafs talks to: token endpoint, mapping service and AWS STS.

They listen on loopback only, enforce the wire contract, record every request and can be told to
fail in every way the fault list knows.
"""
