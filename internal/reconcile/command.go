package reconcile

import (
	"strings"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// plainCommand is a command of one program: nothing that only a shell can do between programs. Variables may be in it.
var plainCommand = pattern.Of(`^\s*[\w./-]+(\s[^;&|<>()\n` + "`" + `]*)?$`)

// shellWords are first words that name no program.
var shellWords = map[string]bool{
	"cd": true, "export": true, "set": true, "exec": true, ".": true, "source": true, "if": true, "for": true, "while": true, "until": true, "case": true,
	"eval": true, "trap": true, "ulimit": true, "umask": true, "unset": true, "exit": true, "return": true, "wait": true, "read": true, "alias": true,
}

// execPrefix lets the application take the shell's place where that is possible, so that it is the process that gets SIGTERM.
func execPrefix(command string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	if !plainCommand.MatchString(command) || shellWords[first] {
		return ""
	}
	return "exec "
}

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
