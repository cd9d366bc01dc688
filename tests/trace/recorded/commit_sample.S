# A short walk through everything that makes a line of a commit log differ: widths, loads, stores, atomics, CSRs by
# their views, traps to M and to S, returns, U mode, a wait. Built for RV64 and RV32; ends at tohost.
#
#   riscv64-unknown-elf-gcc -march=rv64imac_zicsr_zifencei -mabi=lp64  -nostdlib -static -Wl,-N,-Ttext=0x80000000
#   riscv64-unknown-elf-gcc -march=rv32imac_zicsr_zifencei -mabi=ilp32 -nostdlib -static -Wl,-N,-Ttext=0x80000000
#   spike --isa=rv64imac_zicntr --pmpregions=0 --log-commits --log=commit_sample_rv64.log
#   spike --isa=rv32imac_zicntr --pmpregions=0 --log-commits --log=commit_sample_rv32.log
# Recorded from Spike 1.1.1-dev (riscv-isa-sim 55b4658d, 2026-06-25), built with GCC 12.2.0 and binutils 2.40.
# The .hex files are the linked programs as flat binaries for 0x80000000, 32 bytes per line.
# The simulator's boot ROM (five lines at 0x1000) is cut off the recorded logs, and so is what follows the
# store to tohost.

#if __riscv_xlen == 64
#define LX ld
#define SX sd
#define LRX lr.d
#define SCX sc.d
#define AMOADDX amoadd.d
#else
#define LX lw
#define SX sw
#define LRX lr.w
#define SCX sc.w
#define AMOADDX amoadd.w
#endif

.globl _start, tohost, fromhost
_start:
        la      t0, machine_trap
        csrw    mtvec, t0
        csrr    s0, mhartid
        li      a0, -2
        li      a1, 0x12345678
        add     x0, a0, a1              # nothing is written: x0
        mul     a2, a0, a1
        divu    a3, a1, a0
        la      s1, cells
        sb      a1, 0(s1)
        sh      a1, 2(s1)
        sw      a1, 4(s1)
        SX      a0, 8(s1)
        lb      a4, 8(s1)
        lbu     a4, 8(s1)
        lh      a4, 2(s1)
        lhu     a4, 8(s1)
        lw      a4, 4(s1)
        LX      a4, 8(s1)
        lw      x0, 4(s1)               # read, but nothing is written
        AMOADDX a5, a1, (s1)
        amoswap.w x0, a1, (s1)
        LRX     a5, (s1)
        SCX     a6, a1, (s1)
        SCX     a6, a1, (s1)            # fails: no reservation
        fence
        fence.i
        csrw    mscratch, a1
        csrrw   a2, mscratch, a0
        csrrs   a3, mscratch, x0        # read only
        csrrci  a3, mscratch, 2
        csrsi   sstatus, 2              # a view: the log names what it is a view of
        csrwi   sie, 2
        csrwi   mcounteren, 7
        li      t1, 0x102
        csrw    medeleg, t1
        csrw    mideleg, t1
        # An interrupt from software: pending it ends the wait, enabled it is taken before the next instruction.
        csrwi   mie, 8
        li      s4, 0x2000000           # msip of hart 0
        li      t1, 1
        sw      t1, 0(s4)
        wfi
        csrsi   mstatus, 8
        nop
        ecall                           # to M
        .word   0                       # illegal instruction
        # Down to U; an illegal instruction traps to M, an ecall to S.
        la      t0, supervisor_trap
        csrw    stvec, t0
        la      t0, user
        csrw    mepc, t0
        li      t1, 0x1800
        csrc    mstatus, t1
        mret

.align 2
user:   addi    a0, x0, 3
        csrr    a1, mstatus             # not from here
        ecall
        li      a7, 93
        li      gp, 1
        j       1f
        .align  2
supervisor_trap:
        csrr    s2, scause
        csrr    s3, sepc
        addi    s3, s3, 4
        csrw    sepc, s3
        sret

.align 2
machine_trap:
        csrr    t0, mcause
        bltz    t0, 2f
        csrr    t1, mepc
        csrr    t2, mtval
        addi    t1, t1, 4
        csrw    mepc, t1
        mret
2:      sw      x0, 0(s4)
        mret

1:      la      t0, tohost
        sw      gp, 0(t0)
3:      j       3b

.balign 64
cells:  .dword  0, 0, 0, 0
.balign 64
tohost: .dword  0
fromhost: .dword 0
