// Package show is how the command line talks to people: a live list of steps on a terminal, plain lines with the time of day in a
// pipe or a file. It knows text and durations, never services.
//
// Colours and movement are used only on a terminal, and no colours where NO_COLOR is set. Whatever comes from a build or an
// application is made harmless first: it cannot move the cursor or change the terminal's state.
package show
