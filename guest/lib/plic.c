#include "plic.h"
#include "csr.h"
#include "io.h"
#include "trap.h"

#define PLIC_PRIORITY(irq) (4 * (irq))
#define PLIC_PENDING(irq) (0x1000 + (irq) / 32 * 4)
#define PLIC_ENABLE(context, irq) (0x2000 + (context) * 0x80 + (irq) / 32 * 4)
#define PLIC_THRESHOLD(context) (0x200000 + (context) * 0x1000)
#define PLIC_CLAIM(context) (0x200004 + (context) * 0x1000)

#define PLIC_SOURCES_MAX 128

static struct {
	uintptr_t base;
	u32 sources;
	u32 context;
	struct {
		irq_handler_t *handler;
		void *data;
	} irq[PLIC_SOURCES_MAX];
	unsigned long handled;
} plic;

void plic_set_priority(u32 irq, u32 priority)
{
	writel(priority, plic.base + PLIC_PRIORITY(irq));
}

u32 plic_priority(u32 irq)
{
	return readl(plic.base + PLIC_PRIORITY(irq));
}

void plic_enable(u32 irq, bool on)
{
	uintptr_t reg = plic.base + PLIC_ENABLE(plic.context, irq);
	u32 bit = 1u << (irq % 32);

	writel(on ? readl(reg) | bit : readl(reg) & ~bit, reg);
}

void plic_set_threshold(u32 threshold)
{
	writel(threshold, plic.base + PLIC_THRESHOLD(plic.context));
}

u32 plic_threshold(void)
{
	return readl(plic.base + PLIC_THRESHOLD(plic.context));
}

bool plic_pending(u32 irq)
{
	return readl(plic.base + PLIC_PENDING(irq)) >> (irq % 32) & 1;
}

u32 plic_claim(void)
{
	return readl(plic.base + PLIC_CLAIM(plic.context));
}

void plic_complete(u32 irq)
{
	writel(irq, plic.base + PLIC_CLAIM(plic.context));
}

void plic_init(uintptr_t base, u32 sources, u32 context)
{
	plic.base = base;
	plic.sources = sources < PLIC_SOURCES_MAX ? sources : PLIC_SOURCES_MAX - 1;
	plic.context = context;
	for (u32 irq = 0; irq <= plic.sources; irq += 32)
		writel(0, base + PLIC_ENABLE(context, irq));
	plic_set_threshold(0);
	csr_set(mie, 1UL << IRQ_M_EXT);
}

int request_irq(u32 irq, irq_handler_t *handler, void *data)
{
	if (irq == 0 || irq > plic.sources)
		return -EINVAL;
	if (plic.irq[irq].handler != NULL)
		return -EBUSY;
	plic.irq[irq].data = data;
	plic.irq[irq].handler = handler;
	plic_set_priority(irq, 1);
	plic_enable(irq, true);
	return 0;
}

void free_irq(u32 irq)
{
	plic_enable(irq, false);
	plic_set_priority(irq, 0);
	plic.irq[irq].handler = NULL;
}

void plic_interrupt(void)
{
	u32 irq;

	while ((irq = plic_claim()) != 0) {
		if (irq > plic.sources || plic.irq[irq].handler == NULL)
			panic("interrupt %u without a handler", irq);
		plic.irq[irq].handler(irq, plic.irq[irq].data);
		plic.handled++;
		plic_complete(irq);
	}
}

unsigned long plic_handled(void)
{
	return plic.handled;
}
