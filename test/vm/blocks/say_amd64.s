// SPDX-License-Identifier: BSD-2-Clause

// nopl 0x6b617400+WORD(%rax,%rax): test/vm/plugin/blocks.c knows them.
#define SAY(WORD) LONG $0x00841f0f; LONG $(0x6b617400+WORD); RET

TEXT ·zero(SB), 4, $0-0
	SAY(0)

TEXT ·one(SB), 4, $0-0
	SAY(1)

TEXT ·begin(SB), 4, $0-0
	SAY(2)

TEXT ·end(SB), 4, $0-0
	SAY(3)
