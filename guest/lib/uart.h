/* The 16550 UART: the console before there is any other. */
#ifndef LIB_UART_H
#define LIB_UART_H

#include "types.h"

/* Base address. Until uart_init() it is the board's fixed one, so that an early panic can be read. */
void uart_init(uintptr_t base);

/* Writes text as it is (no carriage returns added); waits for room in the transmitter. */
void uart_write(const char *text, size_t length);

/* Next received byte, or -1. */
int uart_getc(void);

/* Received data raises the interrupt line, or no longer does. */
void uart_receive_interrupt(bool on);

#endif
