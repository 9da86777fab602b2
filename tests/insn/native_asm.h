/*
 * native_asm.h: where native_enter.S finds things: a page at a fixed address below 2 GiB, reached without any
 * register. Included by C and assembler.
 */
#ifndef TESTS_INSN_NATIVE_ASM_H
#define TESTS_INSN_NATIVE_ASM_H

#define CTX           0x7f000000
#define CTX_IN_GPR    (CTX + 0)
#define CTX_TARGET    (CTX + 128)
#define CTX_IN_FLAGS  (CTX + 136)
#define CTX_IN_FS     (CTX + 144)
#define CTX_IN_GS     (CTX + 152)
#define CTX_HOST_RSP  (CTX + 160)
#define CTX_HOST_FS   (CTX + 168)
#define CTX_HOST_GS   (CTX + 176)
#define CTX_FSGS      (CTX + 184) /* not 0: FS and GS base are switched */
#define CTX_MXCSR     (CTX + 188)
#define CTX_EXIT      (CTX + 344) /* address of native_exit */
#define CTX_JUMP      (CTX + 352) /* address of native_jump64 or native_jump_far */
#define CTX_LOAD      (CTX + 360) /* not 0: load the selectors */
#define CTX_SEL       (CTX + 364) /* selectors of ES, CS (not loaded), SS, DS, FS, GS */
#define CTX_OUT_GPR   (CTX + 192)
#define CTX_OUT_FLAGS (CTX + 320)
#define CTX_OUT_FS    (CTX + 328)
#define CTX_OUT_GS    (CTX + 336)
#define CTX_IN_XSAVE  (CTX + 1024)
#define CTX_OUT_XSAVE (CTX + 2048)
#define CTX_LOW       (CTX + 4096) /* executable: from 32- and 16-bit code to native_exit */
#define CTX_OUT_ENV   (CTX + 3072) /* FNSTENV, 28 bytes (SDM 1 figure 8-9) */

#endif
