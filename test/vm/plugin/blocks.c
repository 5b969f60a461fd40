// SPDX-License-Identifier: BSD-2-Clause
//
// A plugin for QEMU's emulator (TCG): how often does the guest's kernel run each block
// of instructions? The guest says when counting begins and ends (package blocks), and
// after each end the counts are appended to a file. Nothing is estimated: the same
// instructions give the same counts, whatever else the machine does.
//
// The interface is documented in QEMU's docs/devel/tcg-plugins.rst and
// include/qemu/qemu-plugin.h. That header is in no package of Debian's, so what is used
// here is declared here. amd64 guests on amd64 machines, one processor.
//
//	gcc -O2 -shared -fPIC -o blocks.so blocks.c
//	qemu-system-x86_64 -plugin blocks.so,out=FILE …
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
// In version 1 it returns a pointer to the bytes, and looks at no second argument.
uintptr_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), enum qemu_plugin_cb_flags, void *);
void qemu_plugin_read_memory_vaddr(void) __attribute__((weak)); // since version 4; only looked for

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

// QEMU looks at the version before it calls anything of ours. Debian 12's QEMU (7.2) takes
// version 1 and no other, Debian 13's (10.0) takes versions 2 to 4.
__attribute__((constructor)) static void choose_version(void)
{
	if (qemu_plugin_read_memory_vaddr)
		qemu_plugin_version = 4;
}

// A block is known by where it begins and how many instructions it has: the emulator
// translates the same code with other ends as well.
struct block {
	uint64_t address, insns, runs;
	enum { GOES_ON, CALLS, RETURNS } ends;
	uint64_t last, after; // addresses: the last instruction's, and the next one's, where a call returns to
};

#define SLOTS (1 << 21) // a kernel that has run for an hour has some 200,000 blocks
static struct block *table;

static struct block *find(uint64_t address, uint64_t insns)
{
	uint64_t i = ((address * 31 + insns) * 0x9e3779b97f4a7c15) >> 43;
	for (int tries = 0; tries < SLOTS; tries++, i = (i + 1) % SLOTS) {
		struct block *b = &table[i];
		if (!b->address) {
			b->address = address;
			b->insns = insns;
		}
		if (b->address == address && b->insns == insns)
			return b;
	}
	fprintf(stderr, "blocks: more than %d blocks\n", SLOTS);
	exit(1);
}

static FILE *out;
static bool counting;   // between begin and end
static uint64_t within; // count only what this function does, called functions included; 0: everything
static uint64_t back;   // it returns to this address; 0: it does not run
static uint64_t said;   // the number that the guest says
static uint64_t last;   // the address of the instruction that ran last

// Where the last calls return to. Trampolines return more or less often than they are
// called, and threads take turns, so it is right near its top alone: that is enough to
// know where a function returns to which is just being entered, be it by a jump or by
// a retpoline.
static uint64_t calls[64];
static unsigned depth;

static void run_block(unsigned cpu, void *data)
{
	struct block *b = data;
	if (b->address == back)
		back = 0;
	else if (b->address == within && !back)
		back = calls[depth % 64];
	// An instruction that repeats itself (rep movsb) is a block by itself each time.
	bool again = b->insns == 1 && b->address == last;
	if (counting && (back || !within) && !again)
		b->runs++;
	last = b->last;
	if (b->ends == CALLS)
		calls[++depth % 64] = b->after;
	else if (b->ends == RETURNS)
		depth--;
}

// What the guest says, one instruction each: package blocks.
enum { ZERO, ONE, BEGIN, END, WORDS };

static void hear(unsigned cpu, void *data)
{
	uintptr_t word = (uintptr_t)data;
	switch (word) {
	case ZERO:
	case ONE:
		said = said << 1 | word;
		return;
	case BEGIN:
		within = said;
		back = 0;
		counting = true;
		return;
	}
	counting = false;
	fprintf(out, "phase\n");
	for (struct block *b = table; b < table + SLOTS; b++) {
		if (b->runs)
			fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->insns, b->runs);
		b->runs = 0;
	}
	fflush(out);
}

static size_t bytes(const struct qemu_plugin_insn *insn, uint8_t data[16])
{
	size_t n = qemu_plugin_insn_size(insn);
	memset(data, 0, 16);
	uintptr_t old = qemu_plugin_insn_data(insn, data, n);
	if (qemu_plugin_version == 1)
		memcpy(data, (void *)old, n);
	return n;
}

// Calls are e8 and ff /2, returns c2 and c3, behind prefixes.
static int ends(const struct qemu_plugin_insn *last)
{
	uint8_t data[16], *d = data;
	bytes(last, data);
	while (*d == 0x2e || *d == 0x3e || *d == 0x66 || *d == 0xf3 || (*d & 0xf0) == 0x40)
		d++;
	if (*d == 0xe8 || (*d == 0xff && (d[1] >> 3 & 7) == 2))
		return CALLS;
	return *d == 0xc2 || *d == 0xc3 ? RETURNS : GOES_ON;
}

// nopl 0x6b617400+word(%rax,%rax): the processor does nothing, and no compiler makes it.
static uintptr_t word(const struct qemu_plugin_insn *insn)
{
	static const uint8_t nop[] = {0x0f, 0x1f, 0x84, 0x00}, rest[] = {0x74, 0x61, 0x6b};
	uint8_t data[16];
	if (bytes(insn, data) == 8 && !memcmp(data, nop, 4) && !memcmp(data + 5, rest, 3) && data[4] < WORDS)
		return data[4];
	return WORDS;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	size_t n = qemu_plugin_tb_n_insns(tb);
	if (address >> 63) { // the kernel's
		struct block *b = find(address, n);
		const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
		b->ends = ends(last);
		b->last = qemu_plugin_insn_vaddr(last);
		b->after = b->last + qemu_plugin_insn_size(last);
		qemu_plugin_register_vcpu_tb_exec_cb(tb, run_block, QEMU_PLUGIN_CB_NO_REGS, b);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uintptr_t w = word(insn);
		if (w < WORDS)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, hear, QEMU_PLUGIN_CB_NO_REGS, (void *)w);
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	table = calloc(SLOTS, sizeof(*table));
	if (!out || !table) {
		perror("blocks: out=FILE");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
