/* The least that a sandboxed build can cost: for each of RUNS runs a new process in namespaces of its own, an overlay of
   ROOT with a layer in memory, /proc and a directory for the output, and one command in it.
   Usage: bare ROOT WORK RUNS. Prints milliseconds per run, one after another. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(1);
    }
}

static void write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    must(file, path);
    must(write(file, text, strlen(text)), path);
    close(file);
}

static void run(const char *root, const char *out, int outer) {
    char text[9000];
    snprintf(text, sizeof text, "1000 %d 1\n", outer);
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", text);
    write_text("/proc/self/gid_map", text);
    must(mount(0, "/", 0, MS_REC | MS_PRIVATE, 0), "private");
    /* The directory of outputs is opened before it is hidden. */
    int output = syscall(SYS_open_tree, AT_FDCWD, out, 1 /* clone */ | O_CLOEXEC);
    must(output, "open_tree");
    must(mount("tmpfs", out, "tmpfs", 0, "mode=755"), "tmpfs");
    char upper[4200], work[4200], merged[4200], proc[4300], place[4300];
    snprintf(upper, sizeof upper, "%s/upper", out), mkdir(upper, 0755);
    snprintf(work, sizeof work, "%s/work", out), mkdir(work, 0755);
    snprintf(merged, sizeof merged, "%s/merged", out), mkdir(merged, 0755);
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=%s,workdir=%s,userxattr", root, upper, work);
    must(mount("overlay", merged, "overlay", 0, text), "overlay");
    snprintf(proc, sizeof proc, "%s/proc", merged), mkdir(proc, 0755);
    must(mount("proc", proc, "proc", 0, 0), "proc");
    snprintf(place, sizeof place, "%s/out", merged), mkdir(place, 0755);
    must(syscall(SYS_move_mount, output, "", AT_FDCWD, place, 4 /* empty path */), "move_mount");
    must(chdir(merged), "chdir");
    must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "umount");
    char *const words[] = {"/bin/sh", "-c", "echo 1 > /out/out", 0}, *const none[] = {0};
    /* The first process of a pid namespace stays, as in any sandbox that reaps what its build leaves. */
    pid_t child = fork();
    must(child, "fork");
    if (child == 0) {
        execve(words[0], words, none);
        must(-1, "execve");
    }
    int status;
    must(waitpid(child, &status, 0), "waitpid");
    _exit(status != 0);
}

int main(int count, char **words) {
    if (count != 4) return 2;
    int runs = atoi(words[3]), outer = getuid();
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < runs; i++) {
        char out[4096];
        snprintf(out, sizeof out, "%s/%d", words[2], i);
        must(mkdir(out, 0755), out);
        unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
        pid_t child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
        must(child, "clone");
        if (child == 0) run(words[1], out, outer);
        int status;
        must(waitpid(child, &status, 0), "waitpid");
        if (status != 0) return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.3f\n", ((end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6) / runs);
    return 0;
}
