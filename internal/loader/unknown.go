// SPDX-License-Identifier: BSD-2-Clause

package loader

import "slices"

// unknowns are what Tracer.Lacks may hold, each with its word in the stream's key
// not_known.
var unknowns = map[string]string{
	lacksSendErrors:   "send_error",
	lacksICMP:         "icmp",
	lacksWindowProbes: "window_probe",
	givesICMP4:        "icmp",
	givesICMP6:        "icmp",
	givesProbed:       "probed",
	givesProbedByte:   "probed_byte",
	givesEnabled:      "enabled",
	givesRTT:          "rtt_exact",
	givesRST:          "rst",
	givesDropped:      "dropped",
	givesDropReasons:  "drop_reason",
	lacksWitness:      "missed",
}

// Unknown is Lacks in the words of the stream's key not_known.
func (t *Tracer) Unknown() (words []string) {
	for _, lack := range t.Lacks {
		if word := unknowns[lack]; !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// UnknownWords lists all that Unknown may say.
func UnknownWords() (words []string) {
	for _, w := range unknowns {
		words = append(words, w)
	}
	return words
}
