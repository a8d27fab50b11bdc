// Package folder turns a folder of source code into what App Runner needs: settings for building and running it, and a commit in a
// git repository. It reads the folder and never writes into it; it knows no API.
package folder
