/* SPDX-License-Identifier: Apache-2.0 */
/* tarn: the command line. Commands stand in commands.def, options in options.def; each command is cmd_<name>.c. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "interrupt.h"
#include "options.h"
#include "say.h"
#include "tarn/version.h"

#define COMMAND(name, summary, takes, example) int cmd_##name(const options *o);
#include "commands.def"
#undef COMMAND

static const struct command {
	const char *name, *summary, *takes, *example;
	int (*run)(const options *o);
} commands[] = {
#define COMMAND(name, summary, takes, example) {#name, summary, takes, example, cmd_##name},
#include "commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *out)
{
	fprintf(out, "usage: tarn COMMAND [OPTIONS]\n\n");
	for (int i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "  %-10s %s\n", "help", "options of a command: tarn help bench");
	fprintf(out, "\nexample: tarn bench -m model.onnx -d CPU -niter 100\n");
	fprintf(out, "Exit codes: 0 done, 1 failed while running, 2 usage, 3 bad model or data, 4 no such device, 5 a limit "
		     "not met.\n");
}

static const struct command *find(const char *name)
{
	for (int i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

const char *command_takes(const char *name)
{
	const struct command *c = find(name);
	return c ? c->takes : "";
}

static int unknown(const char *name)
{
	char list[256] = "";
	for (int i = 0; i < N_COMMANDS; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list), " %s", commands[i].name);
	return fail(2, "help", "no command '%s'; there are%s", name, list);
}

static int help(const char *name)
{
	if (!name) {
		usage(stdout);
		return 0;
	}
	const struct command *c = find(name);
	if (!c)
		return unknown(name);
	printf("usage: tarn %s [OPTIONS]\n%s\n\n", c->name, c->summary);
	options_help(c->takes);
	printf("\nAn option has one dash or two, its value is the next word or follows '='.\n");
	printf("example: %s\n", c->example);
	return 0;
}

/* Also where options cannot be read. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "-json"))
			return true;
	return false;
}

/* A stream that was closed by the caller must not become the first file that is opened. Reading and writing it fail as before.
 */
static void keep_streams_apart(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	options o;
	interrupt_begin(c->name, wants_json(argc, argv));
	int code = options_parse(c->name, c->takes, argc, argv, &o);
	if (!code)
		code = options_check_outputs(c->name, &o);
	if (!code)
		code = c->run(&o);
	options_fini(&o);
	return code;
}

static int dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "help";
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	if (!strcmp(word, "--version")) {
		printf("tarn %s\n", tarn_version());
		return 0;
	}
	const struct command *c = find(word);
	if (!c)
		return unknown(word);
	if (argc > 2 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")))
		return help(c->name);
	return run_command(c, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	keep_streams_apart();
	int code = dispatch(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && !code)
		code = fail(1, argc > 1 ? argv[1] : "help", "the output could not be written; is the disk full?");
	else if (code && wants_json(argc, argv))
		say_error_json(code);
	return code;
}
