// SPDX-License-Identifier: BSD-2-Clause
//
// The plugin without an emulator: runs the blocks that standard input names, one a line,
// each as its address and its instructions' bytes ("ffffffff81000000 90 e800000000").
#include "blocks.c"

struct qemu_plugin_insn {
	uint64_t address;
	size_t size;
	uint8_t data[16];
	void (*run)(unsigned, void *);
	void *run_data;
};

struct qemu_plugin_tb {
	size_t n;
	struct qemu_plugin_insn insns[8];
	void (*run)(unsigned, void *);
	void *run_data;
};

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb) { return tb->n; }
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb) { return tb->insns[0].address; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i)
{
	return (struct qemu_plugin_insn *)&tb->insns[i];
}
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn) { return insn->address; }
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn) { return insn->size; }
uintptr_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t n) // as in version 1
{
	return (uintptr_t)insn->data;
}
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*f)(qemu_plugin_id_t, struct qemu_plugin_tb *)) {}
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*f)(unsigned, void *), enum qemu_plugin_cb_flags flags, void *data)
{
	tb->run = f;
	tb->run_data = data;
}
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*f)(unsigned, void *), enum qemu_plugin_cb_flags flags, void *data)
{
	insn->run = f;
	insn->run_data = data;
}

int main(int argc, char **argv)
{
	char line[1000];
	if (qemu_plugin_install(0, NULL, argc, argv))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		struct qemu_plugin_tb tb = {};
		uint64_t address = strtoull(strtok(line, " \n"), NULL, 16);
		for (char *hex; (hex = strtok(NULL, " \n")) && tb.n < 8; tb.n++) {
			struct qemu_plugin_insn *insn = &tb.insns[tb.n];
			insn->address = address;
			for (; hex[0] && hex[1]; hex += 2)
				sscanf(hex, "%2hhx", &insn->data[insn->size++]);
			address += insn->size;
		}
		translate(0, &tb);
		if (tb.run)
			tb.run(0, tb.run_data);
		for (size_t i = 0; i < tb.n; i++)
			if (tb.insns[i].run)
				tb.insns[i].run(0, tb.insns[i].run_data);
	}
	return 0;
}
