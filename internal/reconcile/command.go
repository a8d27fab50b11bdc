package reconcile

import "strings"

// splitCommand turns an image service's StartCommand into arguments: by words and quotes as a shell does, and through a shell
// where it asks for one (variables, pipes, several commands). An image without a shell can still take a plain command.
func splitCommand(command string) []string {
	if strings.ContainsAny(command, "$`|&;<>()*?#~\\\n") {
		return []string{"/bin/sh", "-c", command}
	}
	var (
		words []string
		word  strings.Builder
		quote rune
		open  bool
	)
	for _, c := range command {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}
