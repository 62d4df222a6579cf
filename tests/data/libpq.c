/*
 * Asks a libpq what it makes of connection strings. The library is loaded at
 * run time, so that no headers are needed and any version can be asked.
 *
 *   libpq LIBRARY
 *
 * One request a line on standard input, one answer a line on standard output;
 * texts are hexadecimal.
 *
 *   version            -> version NUMBER
 *   env NAME HEX       -> done           sets a variable
 *   clear NAME         -> done           removes it
 *   parse HEX          -> ok NAME=HEX... | error HEX      PQconninfoParse
 *   connect HEX        -> end HOST PORT USER DB PASS HEX  PQconnectdb, and what
 *                                        the connection holds after it failed
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	char *keyword, *envvar, *compiled, *val, *label, *dispchar;
	int dispsize;
} Option;

static int (*lib_version)(void);
static Option *(*conninfo_parse)(const char *, char **);
static void (*conninfo_free)(Option *);
static void *(*connectdb)(const char *);
static void (*finish)(void *);
static char *(*get[6])(const void *);

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (found == NULL) {
		fprintf(stderr, "no %s\n", name);
		exit(1);
	}
	return found;
}

static char *unhex(char *text)
{
	size_t length = strlen(text) / 2;

	for (size_t i = 0; i < length; i++) {
		unsigned value;

		sscanf(text + 2 * i, "%2x", &value);
		text[i] = (char) value;
	}
	text[length] = '\0';
	return text;
}

static void hex(const char *text)
{
	if (text == NULL || *text == '\0')
		putchar('-');
	for (; text && *text; text++)
		printf("%02x", (unsigned char) *text);
}

int main(int argc, char **argv)
{
	static const char *getters[] = {"PQhost", "PQport", "PQuser", "PQdb", "PQpass", "PQerrorMessage"};
	static char line[1 << 20];
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;

	if (library == NULL) {
		fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "no library named");
		return 1;
	}
	lib_version = symbol(library, "PQlibVersion");
	conninfo_parse = symbol(library, "PQconninfoParse");
	conninfo_free = symbol(library, "PQconninfoFree");
	connectdb = symbol(library, "PQconnectdb");
	finish = symbol(library, "PQfinish");
	for (int i = 0; i < 6; i++)
		get[i] = symbol(library, getters[i]);

	while (fgets(line, sizeof line, stdin)) {
		char *verb = strtok(line, " \n");
		char *first = strtok(NULL, " \n");
		char *second = strtok(NULL, " \n");
		static char empty[1];

		if (verb == NULL)
			break;
		if (strcmp(verb, "version") == 0)
			printf("version %d", lib_version());
		else if (strcmp(verb, "env") == 0) {
			setenv(first, second ? unhex(second) : "", 1);
			printf("done");
		} else if (strcmp(verb, "clear") == 0) {
			unsetenv(first);
			printf("done");
		} else if (strcmp(verb, "parse") == 0) {
			char *why = NULL;
			Option *options = conninfo_parse(first ? unhex(first) : empty, &why);

			if (options == NULL) {
				printf("error ");
				hex(why);
			} else {
				printf("ok");
				for (Option *o = options; o->keyword; o++)
					if (o->val) {
						printf(" %s=", o->keyword);
						hex(o->val);
					}
				conninfo_free(options);
			}
		} else if (strcmp(verb, "connect") == 0) {
			void *conn = connectdb(first ? unhex(first) : empty);

			printf("end");
			for (int i = 0; i < 6; i++) {
				putchar(' ');
				hex(get[i](conn));
			}
			finish(conn);
		}
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
