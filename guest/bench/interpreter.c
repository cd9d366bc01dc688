/* A little stack machine running Collatz sequences and a sieve, dispatching by a table of code addresses. */
#include "bench.h"

const char bench_name[] = "interpreter";
const u64 bench_expected = 0xf508ae511d34d52aull;

#define CELLS 4096
#define STARTS 6000
#define ROUNDS 8

enum op { PUSH, LOAD, STORE, ADD, MUL, AND, HALVE, LESS, EQUAL, JUMP, JUMP_IF, PEEK, POKE, HALT };
enum variable { N, STEPS, START, I, J, COUNT, VARIABLES };

struct instruction {
	u32 op;
	u32 arg;
};

static struct instruction code[128];
static u32 length;
static u32 memory[CELLS];

static u32 emit(enum op op, u32 arg)
{
	code[length] = (struct instruction){ op, arg };
	return length++;
}

/* Lets the jump at `at` go to what is emitted next. */
static void land(u32 at)
{
	code[at].arg = length;
}

static void set(enum variable variable, u32 value)
{
	emit(PUSH, value);
	emit(STORE, variable);
}

static void increase(enum variable variable, enum op op, u32 by)
{
	emit(LOAD, variable);
	emit(op, by);
	emit(ADD, 0);
	emit(STORE, variable);
}

/* Jumps to `target` while the variable is less than `limit`. */
static void loop_while_less(enum variable variable, u32 limit, u32 target)
{
	emit(LOAD, variable);
	emit(PUSH, limit);
	emit(LESS, 0);
	emit(JUMP_IF, target);
}

/* STEPS += steps of n -> n / 2 or 3 n + 1 down to 1, for every start */
static void assemble_collatz(void)
{
	u32 next_start, next_step, one, odd;

	set(START, 1);
	next_start = length;
	emit(LOAD, START);
	emit(STORE, N);
	next_step = length;
	emit(LOAD, N);
	emit(PUSH, 1);
	emit(EQUAL, 0);
	one = emit(JUMP_IF, 0);
	increase(STEPS, PUSH, 1);
	emit(LOAD, N);
	emit(PUSH, 1);
	emit(AND, 0);
	odd = emit(JUMP_IF, 0);
	emit(LOAD, N);
	emit(HALVE, 0);
	emit(STORE, N);
	emit(JUMP, next_step);
	land(odd);
	emit(LOAD, N);
	emit(PUSH, 3);
	emit(MUL, 0);
	emit(PUSH, 1);
	emit(ADD, 0);
	emit(STORE, N);
	emit(JUMP, next_step);
	land(one);
	increase(START, PUSH, 1);
	loop_while_less(START, STARTS, next_start);
}

/* COUNT += primes below CELLS */
static void assemble_sieve(void)
{
	u32 next, strike, composite, done;

	set(I, 2);
	next = length;
	emit(LOAD, I);
	emit(PEEK, 0);
	composite = emit(JUMP_IF, 0);
	increase(COUNT, PUSH, 1);
	emit(LOAD, I);
	emit(STORE, J);
	strike = length;
	increase(J, LOAD, I);
	emit(PUSH, CELLS - 1);
	emit(LOAD, J);
	emit(LESS, 0);
	done = emit(JUMP_IF, 0);
	emit(PUSH, 1);
	emit(LOAD, J);
	emit(POKE, 0);
	emit(JUMP, strike);
	land(done);
	land(composite);
	increase(I, PUSH, 1);
	loop_while_less(I, CELLS, next);
	emit(HALT, 0);
}

static void run(u32 variables[VARIABLES])
{
	static const void *const handlers[] = {
		[PUSH] = &&push, [LOAD] = &&load, [STORE] = &&store, [ADD] = &&add,	    [MUL] = &&mul,
		[AND] = &&and,	 [HALVE] = &&halve, [LESS] = &&less, [EQUAL] = &&equal,	    [JUMP] = &&jump,
		[JUMP_IF] = &&jump_if, [PEEK] = &&peek, [POKE] = &&poke, [HALT] = &&halt,
	};
	const struct instruction *pc = code;
	u32 stack[16], *sp = stack;

#define NEXT goto *handlers[(++pc)->op]
	goto *handlers[pc->op];
push:
	*sp++ = pc->arg;
	NEXT;
load:
	*sp++ = variables[pc->arg];
	NEXT;
store:
	variables[pc->arg] = *--sp;
	NEXT;
add:
	sp--;
	sp[-1] += *sp;
	NEXT;
mul:
	sp--;
	sp[-1] *= *sp;
	NEXT;
and:
	sp--;
	sp[-1] &= *sp;
	NEXT;
halve:
	sp[-1] >>= 1;
	NEXT;
less:
	sp--;
	sp[-1] = sp[-1] < *sp;
	NEXT;
equal:
	sp--;
	sp[-1] = sp[-1] == *sp;
	NEXT;
jump:
	pc = code + pc->arg;
	goto *handlers[pc->op];
jump_if:
	if (*--sp == 0)
		NEXT;
	pc = code + pc->arg;
	goto *handlers[pc->op];
peek:
	sp[-1] = memory[sp[-1]];
	NEXT;
poke:
	sp -= 2;
	memory[sp[1]] = sp[0];
	NEXT;
halt:
	return;
}

u64 bench_run(void)
{
	u32 variables[VARIABLES] = { 0 };
	u64 sum = 0;

	length = 0;
	assemble_collatz();
	assemble_sieve();
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 i = 0; i < CELLS; i++)
			memory[i] = 0;
		run(variables);
		sum = fold(fold(sum, variables[STEPS]), variables[COUNT]);
	}
	return sum;
}
