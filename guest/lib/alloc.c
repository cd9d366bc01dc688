#include "alloc.h"
#include "string.h"
#include "trap.h"

/*
 * First fit over a list by address; free neighbours are joined when the search comes by. The header sits right before
 * what is handed out.
 */
struct block {
	size_t size; /* of what follows the header */
	bool used;
	struct block *next;
	/* Keeps sizeof a multiple of 16 on RV32 and RV64. */
	uintptr_t reserved;
};

#define GRAIN 16

static struct block *first;
static size_t in_use;

void alloc_init(uintptr_t start, uintptr_t end)
{
	start = ALIGN_UP(start, GRAIN);
	first = (struct block *)start;
	*first = (struct block){ .size = (end - start - sizeof(*first)) & ~(uintptr_t)(GRAIN - 1) };
}

/* Cuts `block` so that it ends after `size` bytes, if the rest is worth a block. */
static void split(struct block *block, size_t size)
{
	struct block *rest = (struct block *)((char *)(block + 1) + size);

	if (block->size < size + sizeof(*rest) + GRAIN)
		return;
	*rest = (struct block){ .size = block->size - size - sizeof(*rest), .next = block->next };
	block->size = size;
	block->next = rest;
}

static void join(struct block *block)
{
	while (block->next != NULL && !block->next->used) {
		block->size += sizeof(*block) + block->next->size;
		block->next = block->next->next;
	}
}

static void *allocate(size_t size, size_t align)
{
	size = ALIGN_UP(size, GRAIN);
	for (struct block *block = first; block != NULL; block = block->next) {
		uintptr_t start = (uintptr_t)(block + 1);
		uintptr_t aligned = ALIGN_UP(start, align);

		if (block->used)
			continue;
		join(block);
		/* A gap before an aligned start must hold a block of its own. */
		if (aligned != start && aligned - start < sizeof(*block) + GRAIN)
			aligned = ALIGN_UP(start + sizeof(*block) + GRAIN, align);
		if (block->size < size || aligned - start > block->size - size)
			continue;
		if (aligned != start) {
			split(block, aligned - start - sizeof(*block));
			block = block->next;
		}
		split(block, size);
		block->used = true;
		in_use += block->size;
		return memset(block + 1, 0, block->size);
	}
	return NULL;
}

void *kzalloc(size_t size)
{
	return allocate(size, GRAIN);
}

void *alloc_pages_exact(size_t size)
{
	return allocate(ALIGN_UP(size, (size_t)PAGE_SIZE), PAGE_SIZE);
}

void kfree(void *memory)
{
	struct block *block = (struct block *)memory - 1;

	if (memory == NULL)
		return;
	if (!block->used)
		panic("kfree: %p is not in use", memory);
	block->used = false;
	in_use -= block->size;
}

size_t alloc_in_use(void)
{
	return in_use;
}
