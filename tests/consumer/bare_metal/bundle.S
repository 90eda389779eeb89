/* SPDX-License-Identifier: BSD-3-Clause */
  .section .rodata.bundle, "a"
  .balign 128
  .global bpte_bundle, bpte_bundle_end
bpte_bundle:
  .incbin BUNDLE
bpte_bundle_end:
