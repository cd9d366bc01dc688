/* What assembly and C agree on: register width and the shape of a trap frame. */
#ifndef LIB_ASM_H
#define LIB_ASM_H

#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define REG_BYTES 8
#else
#define REG_S sw
#define REG_L lw
#define REG_BYTES 4
#endif

/* struct trap_frame (trap.h): x0's place holds nothing, so that x[n] is register n. */
#define FRAME_EPC (32 * REG_BYTES)
#define FRAME_STATUS (33 * REG_BYTES)
#define FRAME_CAUSE (34 * REG_BYTES)
#define FRAME_TVAL (35 * REG_BYTES)
#define FRAME_BYTES (36 * REG_BYTES)

#endif
