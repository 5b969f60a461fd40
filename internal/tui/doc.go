// SPDX-License-Identifier: BSD-2-Clause

// Package tui is the live view: a terminal user interface over the stream of
// events.
//
// Data flows one way. A Store takes every event as it comes and aggregates it;
// a tick of the one model takes a Snapshot of the Store; View draws the
// snapshot. The event reader never waits for the terminal, and the terminal
// never sees more than a few frames a second, however fast events come. Where
// a frame stands for more events than it shows, it says for how many.
//
// The panes (header, table, detail, log, help) are functions of the model that
// return lines of at most the width they are given. Strings from outside the
// program pass through sanitize before they are drawn.
package tui
