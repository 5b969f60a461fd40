// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"strings"
	"testing"
)

// FuzzReadLog: whatever an undo file holds, what is read of it says which socket
// is meant and what to set, or it is refused.
func FuzzReadLog(f *testing.F) {
	boot, err := bootID()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"v":1,"boot":"` + boot + `","netns":1,"inode":2,"family":"ipv4","local":{"addr":"10.0.0.1","port":1},"cookie":3,` +
		`"before":{"idle_ms":7200000,"on":false},"after":{"idle_ms":60000,"on":true},"inherited":["idle"]}`)
	f.Add(`{"v":1,"boot":"` + boot + `","before":{},"after":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		entries, _, err := ReadLog(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.state.Inode == 0 || e.state.Netns == 0 || e.cookie == 0 || e.before.Known == 0 || e.before.Known != e.after.Known {
				t.Fatalf("%q: %+v", text, e)
			}
		}
	})
}
