/* Generated from vm/board.ts by tools/gen_headers.ts: edit the table, not this file. */
#ifndef GENERATED_BOARD_H
#define GENERATED_BOARD_H

/*
 * For the linker script and for a panic before the device tree was read. Everything else takes its addresses
 * from the device tree it was handed.
 */
#define BOARD_ROM_BASE      0x00001000UL /* reset vector */
#define BOARD_ROM_SIZE      0x0000f000UL
#define BOARD_FINISHER_BASE 0x00100000UL /* test finisher */
#define BOARD_FINISHER_SIZE 0x00001000UL
#define BOARD_RTC_BASE      0x00101000UL /* Goldfish RTC */
#define BOARD_RTC_SIZE      0x00001000UL
#define BOARD_RTC_IRQ       11
#define BOARD_CLINT_BASE    0x02000000UL /* timer and software interrupts */
#define BOARD_CLINT_SIZE    0x00010000UL
#define BOARD_PLIC_BASE     0x0c000000UL /* interrupt controller */
#define BOARD_PLIC_SIZE     0x00600000UL
#define BOARD_UART_BASE     0x10000000UL /* UART 16550 */
#define BOARD_UART_SIZE     0x00000100UL
#define BOARD_UART_IRQ      10
#define BOARD_VIRTIO0_BASE  0x10001000UL /* virtio-mmio slot 0 */
#define BOARD_VIRTIO0_SIZE  0x00001000UL
#define BOARD_VIRTIO0_IRQ   1
#define BOARD_VIRTIO1_BASE  0x10002000UL /* virtio-mmio slot 1 */
#define BOARD_VIRTIO1_SIZE  0x00001000UL
#define BOARD_VIRTIO1_IRQ   2
#define BOARD_VIRTIO2_BASE  0x10003000UL /* virtio-mmio slot 2 */
#define BOARD_VIRTIO2_SIZE  0x00001000UL
#define BOARD_VIRTIO2_IRQ   3
#define BOARD_VIRTIO3_BASE  0x10004000UL /* virtio-mmio slot 3 */
#define BOARD_VIRTIO3_SIZE  0x00001000UL
#define BOARD_VIRTIO3_IRQ   4
#define BOARD_VIRTIO4_BASE  0x10005000UL /* virtio-mmio slot 4 */
#define BOARD_VIRTIO4_SIZE  0x00001000UL
#define BOARD_VIRTIO4_IRQ   5
#define BOARD_VIRTIO5_BASE  0x10006000UL /* virtio-mmio slot 5 */
#define BOARD_VIRTIO5_SIZE  0x00001000UL
#define BOARD_VIRTIO5_IRQ   6
#define BOARD_VIRTIO6_BASE  0x10007000UL /* virtio-mmio slot 6 */
#define BOARD_VIRTIO6_SIZE  0x00001000UL
#define BOARD_VIRTIO6_IRQ   7
#define BOARD_VIRTIO7_BASE  0x10008000UL /* virtio-mmio slot 7 */
#define BOARD_VIRTIO7_SIZE  0x00001000UL
#define BOARD_VIRTIO7_IRQ   8
#define BOARD_FW_CFG_BASE   0x10100000UL /* firmware configuration */
#define BOARD_FW_CFG_SIZE   0x00000018UL
#define BOARD_FLASH_BASE    0x20000000UL /* CFI flash, two banks */
#define BOARD_FLASH_SIZE    0x04000000UL
#define BOARD_PCIE_BASE     0x30000000UL /* PCIe ECAM */
#define BOARD_PCIE_SIZE     0x10000000UL
#define BOARD_RAM_BASE      0x80000000UL /* memory */

#define BOARD_VIRTIO_SLOTS 8
#define BOARD_PLIC_SOURCES 95
#define BOARD_TIMEBASE_HZ  10000000
#define BOARD_ENTRY        0x80000000UL /* flat images are loaded and entered here */

#endif
