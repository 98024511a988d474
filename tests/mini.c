// The only program of the tests' root: a builder that understands a few commands, one per line of its first argument.
//
// Words are separated by blanks; `$NAME` at any place of a word is replaced by the variable of the environment. Every
// command stops the program with status 1 and a message when it fails.

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 64

static void check(int ok, const char *what, const char *on) {
    if (ok) return;
    fprintf(stderr, "mini: %s %s: %s\n", what, on, strerror(errno));
    exit(1);
}

// Replaces variables in a word.
static char *expand(const char *word) {
    static char buffer[1 << 16];
    size_t length = 0;
    while (*word) {
        if (*word != '$') {
            buffer[length++] = *word++;
            continue;
        }
        char name[256] = "";
        size_t end = 0;
        for (word++; isalnum((unsigned char)*word) || *word == '_'; word++) name[end++] = *word;
        const char *value = getenv(name);
        if (!value) value = "";
        memcpy(buffer + length, value, strlen(value));
        length += strlen(value);
    }
    buffer[length] = 0;
    return strdup(buffer);
}

// Writes words with a blank between them and a line end after them.
static void put(FILE *file, char **words) {
    for (int i = 0; words[i]; i++) fprintf(file, "%s%s", i ? " " : "", words[i]);
    fputc('\n', file);
}

static void copy(const char *from, const char *to, const char *mode) {
    FILE *in = fopen(from, "r"), *out = NULL;
    check(in != NULL, "cannot read", from);
    out = to ? fopen(to, mode) : stdout;
    check(out != NULL, "cannot write", to);
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, in)) > 0;) check(fwrite(buffer, 1, n, out) == n, "cannot write", to);
    fclose(in);
    if (to) check(fclose(out) == 0, "cannot write", to);
    else fflush(stdout);
}

static void run(char **words) {
    const char *command = words[0], *first = words[1] ? words[1] : "", *second = words[2];
    if (!strcmp(command, "say")) {
        put(stdout, words + 1);
        fflush(stdout);
    } else if (!strcmp(command, "mkdir")) {
        check(mkdir(first, 0755) == 0, "cannot create", first);
    } else if (!strcmp(command, "write") || !strcmp(command, "append")) {
        FILE *file = fopen(first, command[0] == 'w' ? "w" : "a");
        check(file != NULL, "cannot write", first);
        put(file, words + 2);
        check(fclose(file) == 0, "cannot write", first);
    } else if (!strcmp(command, "copy")) {
        copy(first, second, "w");
    } else if (!strcmp(command, "add")) {
        copy(first, second, "a");
    } else if (!strcmp(command, "cat")) {
        copy(first, NULL, NULL);
    } else if (!strcmp(command, "executable")) {
        check(chmod(first, 0755) == 0, "cannot make executable", first);
    } else if (!strcmp(command, "mode")) {
        check(chmod(second, (mode_t)strtol(first, NULL, 8)) == 0, "cannot change the mode of", second);
    } else if (!strcmp(command, "hardlink")) {
        check(link(first, second) == 0, "cannot link", second);
    } else if (!strcmp(command, "link")) {
        check(symlink(first, second) == 0, "cannot link", second);
    } else if (!strcmp(command, "fifo")) {
        check(mkfifo(first, 0644) == 0, "cannot create", first);
    } else if (!strcmp(command, "sleep")) {
        sleep((unsigned)atoi(first));
    } else if (!strcmp(command, "background")) {
        // A process that leaves session and group and ignores what can be ignored.
        if (fork() == 0) {
            setsid();
            for (;;) pause();
        }
    } else if (!strcmp(command, "try")) {
        // In a process of its own, whatever comes of it.
        pid_t child = fork();
        if (child == 0) {
            run(words + 1);
            exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        printf("%s %s\n", words[1], WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "succeeded" : "failed");
        fflush(stdout);
    } else if (!strcmp(command, "bind")) {
        check(mount(first, second, NULL, MS_BIND, NULL) == 0, "cannot mount", first);
    } else if (!strcmp(command, "rewrite")) {
        chmod(first, 0644);
        int file = open(first, O_RDWR);
        check(file >= 0 && pwrite(file, "!", 1, 0) == 1, "cannot write", first);
    } else if (!strcmp(command, "scribble")) {
        // A process in its own session that writes through a descriptor and through a mapping for as long as it lives.
        int file = open(first, O_RDWR);
        char *mapped = file < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        check(mapped != MAP_FAILED, "cannot map", first);
        if (fork() == 0) {
            setsid();
            for (char byte = 'a';; byte = byte == 'z' ? 'a' : byte + 1) {
                *mapped = byte;
                pwrite(file, &byte, 1, 0);
            }
        }
    } else if (!strcmp(command, "swap")) {
        // The same, exchanging a directory for a link that leads to another and back.
        if (fork() == 0) {
            setsid();
            char aside[4096];
            snprintf(aside, sizeof aside, "%s.aside", first);
            for (;;) {
                rename(first, aside);
                symlink(second, first);
                unlink(first);
                rename(aside, first);
            }
        }
    } else if (!strcmp(command, "exit")) {
        exit(atoi(first));
    } else if (!strcmp(command, "kill")) {
        kill(getpid(), atoi(first));
    } else {
        fprintf(stderr, "mini: unknown command %s\n", command);
        exit(127);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    char *script = strdup(argc > 1 ? argv[1] : ""), *rest;
    for (char *line = strtok_r(script, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *words[MOST_WORDS] = {0}, *inside;
        int count = 0;
        for (char *word = strtok_r(line, " ", &inside); word && count < MOST_WORDS - 1; word = strtok_r(NULL, " ", &inside)) words[count++] = expand(word);
        if (count > 0) run(words);
    }
    return 0;
}
