/* Reader of a flattened device tree (Devicetree Specification v0.4 §5), as handed over in a1. */
#ifndef LIB_FDT_H
#define LIB_FDT_H

#include "types.h"

#define FDT_MAX_DEPTH 8

/* A node, while walking: how addresses in its `reg` are written is its parent's say. */
struct fdt_node {
	const char *name;
	int depth; /* 0 is the root */
	u32 address_cells;
	u32 size_cells;
	u32 properties; /* offset of its first property in the structure block */
};

/* A walk over all nodes in the order of the tree. */
struct fdt_walk {
	const u8 *fdt;
	u32 position;
	int depth;
	struct {
		u32 address;
		u32 size;
	} cells[FDT_MAX_DEPTH];
	struct fdt_node node;
};

/* Whether `fdt` is a device tree of a version this reader knows. */
bool fdt_valid(const void *fdt);

/* Begins a walk; the first fdt_next() gives the root. */
void fdt_start(struct fdt_walk *walk, const void *fdt);

/* Goes on to the next node, which is then walk->node; false at the end. */
bool fdt_next(struct fdt_walk *walk);

/* A property's bytes and their number, or NULL. */
const void *fdt_property(const struct fdt_walk *walk, const char *name, u32 *length);

/* Cell `index` of a property, or `otherwise` where it is missing. */
u32 fdt_cell(const struct fdt_walk *walk, const char *name, u32 index, u32 otherwise);

/* The node's `compatible`: strings one after the other, `length` bytes in all; NULL if it has none. */
const char *fdt_compatible(const struct fdt_walk *walk, u32 *length);

/* Whether such a list of strings has `name`. */
bool fdt_lists(const char *list, u32 length, const char *name);

/* Entry `index` of `reg`. */
bool fdt_reg(const struct fdt_walk *walk, u32 index, u64 *address, u64 *size);

#endif
