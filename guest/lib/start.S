/*
 * Entry of every image, on every hart at once: a0 = hart id, a1 = flat device tree (the convention of QEMU's reset
 * vector, and of the SBI). Hart 0 runs the image; the others wait for an interrupt that nobody enables.
 */
#include "../generated/board.h"
#include "asm.h"

	.section .text.start, "ax"
	.globl _start
_start:
	/*
	 * A flat image does not say how wide its registers are. Up to here and in wrong_width only instructions that
	 * mean the same on RV32 and RV64: a shift tells which this is.
	 */
	.option push
	.option norvc
	.option norelax
	li	t0, -1
	srli	t0, t0, 31
	addi	t0, t0, -1		/* 0 on RV32 */
#if __riscv_xlen == 64
	beqz	t0, wrong_width
#else
	bnez	t0, wrong_width
#endif
	.option pop

	csrw	mie, zero
	csrci	mstatus, 8		/* MIE off until there is a handler */
	csrr	t0, mhartid
	bnez	t0, park

	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	la	sp, __stack_top
	la	t0, trap_entry
	csrw	mtvec, t0

	la	t0, __bss_start
	la	t1, __bss_end
1:	bgeu	t0, t1, 2f
	REG_S	zero, 0(t0)
	addi	t0, t0, REG_BYTES
	j	1b
2:
	/* a0 and a1 are still the ones the machine gave us. */
	call	lib_main

	/* lib_main ends the run; come here only if no finisher answered. */
park:
	wfi
	j	park

	.option push
	.option norvc
	.option norelax
wrong_width:
	csrr	t0, mhartid
	bnez	t0, 3f
	lui	t1, %hi(BOARD_UART_BASE)
1:	auipc	t0, %pcrel_hi(wrong_width_text)
	addi	t0, t0, %pcrel_lo(1b)
2:	lbu	t2, 0(t0)
	beqz	t2, 4f
	sb	t2, 0(t1)
	addi	t0, t0, 1
	j	2b
4:	lui	t1, %hi(BOARD_FINISHER_BASE)
	lui	t2, 0x13		/* fail, code 1 */
	addi	t2, t2, 0x333
	sw	t2, 0(t1)
3:	wfi
	j	3b
	.option pop

	.section .rodata.start, "a"
wrong_width_text:
#if __riscv_xlen == 64
	.string "this image is for RV64, and this hart is RV32\n"
#else
	.string "this image is for RV32, and this hart is RV64: try --isa rv32imac, or the .elf\n"
#endif

/*
 * Trap entry (direct mode): everything goes into a struct trap_frame on the stack of whoever was interrupted. M-mode
 * code only; the traps image, which runs lower modes, swaps stacks in its own entry.
 */
	.text
	.balign 4
	.globl trap_entry
trap_entry:
	addi	sp, sp, -FRAME_BYTES
	REG_S	x1, 1 * REG_BYTES(sp)
	REG_S	x3, 3 * REG_BYTES(sp)
	REG_S	x4, 4 * REG_BYTES(sp)
	REG_S	x5, 5 * REG_BYTES(sp)
	REG_S	x6, 6 * REG_BYTES(sp)
	REG_S	x7, 7 * REG_BYTES(sp)
	REG_S	x8, 8 * REG_BYTES(sp)
	REG_S	x9, 9 * REG_BYTES(sp)
	REG_S	x10, 10 * REG_BYTES(sp)
	REG_S	x11, 11 * REG_BYTES(sp)
	REG_S	x12, 12 * REG_BYTES(sp)
	REG_S	x13, 13 * REG_BYTES(sp)
	REG_S	x14, 14 * REG_BYTES(sp)
	REG_S	x15, 15 * REG_BYTES(sp)
	REG_S	x16, 16 * REG_BYTES(sp)
	REG_S	x17, 17 * REG_BYTES(sp)
	REG_S	x18, 18 * REG_BYTES(sp)
	REG_S	x19, 19 * REG_BYTES(sp)
	REG_S	x20, 20 * REG_BYTES(sp)
	REG_S	x21, 21 * REG_BYTES(sp)
	REG_S	x22, 22 * REG_BYTES(sp)
	REG_S	x23, 23 * REG_BYTES(sp)
	REG_S	x24, 24 * REG_BYTES(sp)
	REG_S	x25, 25 * REG_BYTES(sp)
	REG_S	x26, 26 * REG_BYTES(sp)
	REG_S	x27, 27 * REG_BYTES(sp)
	REG_S	x28, 28 * REG_BYTES(sp)
	REG_S	x29, 29 * REG_BYTES(sp)
	REG_S	x30, 30 * REG_BYTES(sp)
	REG_S	x31, 31 * REG_BYTES(sp)
	addi	t0, sp, FRAME_BYTES
	REG_S	t0, 2 * REG_BYTES(sp)
	csrr	t0, mepc
	REG_S	t0, FRAME_EPC(sp)
	csrr	t0, mstatus
	REG_S	t0, FRAME_STATUS(sp)
	csrr	t0, mcause
	REG_S	t0, FRAME_CAUSE(sp)
	csrr	t0, mtval
	REG_S	t0, FRAME_TVAL(sp)

	mv	a0, sp
	call	trap_handler

	REG_L	t0, FRAME_EPC(sp)
	csrw	mepc, t0
	REG_L	t0, FRAME_STATUS(sp)
	csrw	mstatus, t0
	REG_L	x1, 1 * REG_BYTES(sp)
	REG_L	x3, 3 * REG_BYTES(sp)
	REG_L	x4, 4 * REG_BYTES(sp)
	REG_L	x5, 5 * REG_BYTES(sp)
	REG_L	x6, 6 * REG_BYTES(sp)
	REG_L	x7, 7 * REG_BYTES(sp)
	REG_L	x8, 8 * REG_BYTES(sp)
	REG_L	x9, 9 * REG_BYTES(sp)
	REG_L	x10, 10 * REG_BYTES(sp)
	REG_L	x11, 11 * REG_BYTES(sp)
	REG_L	x12, 12 * REG_BYTES(sp)
	REG_L	x13, 13 * REG_BYTES(sp)
	REG_L	x14, 14 * REG_BYTES(sp)
	REG_L	x15, 15 * REG_BYTES(sp)
	REG_L	x16, 16 * REG_BYTES(sp)
	REG_L	x17, 17 * REG_BYTES(sp)
	REG_L	x18, 18 * REG_BYTES(sp)
	REG_L	x19, 19 * REG_BYTES(sp)
	REG_L	x20, 20 * REG_BYTES(sp)
	REG_L	x21, 21 * REG_BYTES(sp)
	REG_L	x22, 22 * REG_BYTES(sp)
	REG_L	x23, 23 * REG_BYTES(sp)
	REG_L	x24, 24 * REG_BYTES(sp)
	REG_L	x25, 25 * REG_BYTES(sp)
	REG_L	x26, 26 * REG_BYTES(sp)
	REG_L	x27, 27 * REG_BYTES(sp)
	REG_L	x28, 28 * REG_BYTES(sp)
	REG_L	x29, 29 * REG_BYTES(sp)
	REG_L	x30, 30 * REG_BYTES(sp)
	REG_L	x31, 31 * REG_BYTES(sp)
	REG_L	sp, 2 * REG_BYTES(sp)
	mret
