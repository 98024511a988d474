/*
 * The first program of an image: opens the root file system on the medium behind dm-verity, reads all of it once, and
 * starts the system on it. What does not have the root hash of the kernel command line is refused: the machine goes off.
 *
 * Command line: roothash=, verity_salt= (hexadecimal), verity_blocks= (of 4096 bytes); perhaps init= (a program).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE "/medium/live/root.img"
#define TARGET "/dev/dm-0"

enum { BLOCK = 4096, SECTORS_IN_BLOCK = 8, LINE = 4096, SECONDS_TO_WAIT = 30 };

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("init: ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

/* Nothing runs on what cannot be trusted. */
static _Noreturn void refuse(const char *what)
{
    say("refused: %s%s%s", what, errno ? ": " : "", errno ? strerror(errno) : "");
    sync();
    sleep(1);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void mount_at(const char *source, const char *place, const char *type, unsigned long flags, const char *options)
{
    mkdir(place, 0755);
    if (mount(source, place, type, flags, options))
        refuse(place);
}

static void open_console(void)
{
    int console = open("/dev/console", O_RDWR);
    for (int descriptor = 0; console >= 0 && descriptor < 3; descriptor++)
        dup2(console, descriptor);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* The value of `name=` on the command line, or NULL; later ones win. */
static char *parameter(const char *name)
{
    static char line[LINE];
    char *found = NULL, *word, *rest;
    FILE *file = fopen("/proc/cmdline", "r");
    if (!file || !fgets(line, sizeof line, file))
        refuse("/proc/cmdline");
    fclose(file);
    for (word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        if (!strncmp(word, name, strlen(name)) && word[strlen(name)] == '=')
            found = word + strlen(name) + 1;
    return found ? strdup(found) : NULL;
}

static const char *required(const char *name)
{
    const char *value = parameter(name);
    errno = 0;
    if (!value)
        refuse(name);
    return value;
}

static int may_be_medium(const char *device)
{
    return device[0] != '.' && strncmp(device, "loop", 4) && strncmp(device, "ram", 3) && strncmp(device, "dm-", 3);
}

/* Mounts the first block device that has the image; 0 if none does. */
static int mount_medium(char *device, size_t size)
{
    DIR *directory = opendir("/sys/class/block");
    struct dirent *entry;
    int found = 0;
    while (directory && !found && (entry = readdir(directory))) {
        if (!may_be_medium(entry->d_name))
            continue;
        snprintf(device, size, "/dev/%s", entry->d_name);
        if (mount(device, "/medium", "iso9660", MS_RDONLY, NULL))
            continue;
        found = !access(IMAGE, R_OK);
        if (!found)
            umount("/medium");
    }
    if (directory)
        closedir(directory);
    return found;
}

static void find_medium(char *device, size_t size)
{
    const int per_second = 20;
    mkdir("/medium", 0755);
    for (int tries = 0; tries < SECONDS_TO_WAIT * per_second; tries++) {
        if (mount_medium(device, size))
            return;
        usleep(1000000 / per_second);
    }
    errno = 0;
    refuse("no device has the image");
}

static void attach_loop(void)
{
    int loop = open("/dev/loop0", O_RDONLY), image = open(IMAGE, O_RDONLY);
    if (loop < 0 || image < 0 || ioctl(loop, LOOP_SET_FD, image))
        refuse("/dev/loop0");
}

union request {
    struct dm_ioctl header;
    char bytes[16384];
};

static void device_mapper(int control, unsigned long command, union request *request, const char *what)
{
    request->header.version[0] = 4;
    request->header.data_size = sizeof *request;
    request->header.data_start = sizeof request->header;
    strcpy(request->header.name, "root");
    if (ioctl(control, command, request))
        refuse(what);
}

static void open_verity(void)
{
    static union request create, load, resume;
    unsigned long long blocks = strtoull(required("verity_blocks"), NULL, 10);
    int control = open("/dev/mapper/control", O_RDWR);
    if (control < 0)
        refuse("/dev/mapper/control");
    device_mapper(control, DM_DEV_CREATE, &create, "creating the verified device");

    struct dm_target_spec *target = (struct dm_target_spec *)(load.bytes + sizeof load.header);
    char *table = (char *)(target + 1);
    size_t room = sizeof load.bytes - (size_t)(table - load.bytes);
    load.header.flags = DM_READONLY_FLAG;
    load.header.target_count = 1;
    target->length = blocks * SECTORS_IN_BLOCK;
    strcpy(target->target_type, "verity");
    int length = snprintf(table, room, "1 /dev/loop0 /dev/loop0 %d %d %llu %llu sha256 %s %s", BLOCK, BLOCK, blocks,
                          blocks + 1, required("roothash"), required("verity_salt"));
    target->next = (sizeof *target + length + 8) & ~7u;
    device_mapper(control, DM_TABLE_LOAD, &load, "loading the table of the verified device");
    device_mapper(control, DM_DEV_SUSPEND, &resume, "starting the verified device");
    close(control);
}

/* The kernel checks each block that is read; so all are, before anything runs. */
static void read_everything(void)
{
    static char buffer[256 * BLOCK];
    ssize_t got;
    int device = open(TARGET, O_RDONLY);
    if (device < 0)
        refuse(TARGET);
    while ((got = read(device, buffer, sizeof buffer)) > 0)
        ;
    if (got < 0)
        refuse("the image does not have the root hash of the command line");
    close(device);
}

/* What is written goes to memory. */
static void mount_root(void)
{
    mount_at(TARGET, "/verified", "squashfs", MS_RDONLY, NULL);
    mount_at("memory", "/memory", "tmpfs", 0, "mode=755");
    mkdir("/memory/upper", 0755);
    mkdir("/memory/work", 0755);
    mount_at("root", "/root", "overlay", 0, "lowerdir=/verified,upperdir=/memory/upper,workdir=/memory/work");
}

/* Programs find out here what they were started from. */
static void tell_medium(const char *device)
{
    mount_at("run", "/root/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
    FILE *file = fopen("/root/run/medium", "w");
    if (file) {
        fprintf(file, "%s\n", device);
        fclose(file);
    }
}

static void move_into_root(void)
{
    static const char *const moved[] = { "/dev", "/proc", "/sys" };
    for (size_t index = 0; index < sizeof moved / sizeof *moved; index++) {
        char place[64];
        snprintf(place, sizeof place, "/root%s", moved[index]);
        if (mount(moved[index], place, NULL, MS_MOVE, NULL))
            refuse(place);
    }
    if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        refuse("the new root");
}

int main(void)
{
    char device[300];
    mount_at("dev", "/dev", "devtmpfs", 0, NULL);
    open_console();
    mount_at("proc", "/proc", "proc", 0, NULL);
    mount_at("sys", "/sys", "sysfs", 0, NULL);
    char *program = parameter("init");

    find_medium(device, sizeof device);
    attach_loop();
    open_verity();
    read_everything();
    say("verified the image on %s", device);
    mount_root();
    tell_medium(device);
    move_into_root();

    char *arguments[] = { program ? program : "/usr/sbin/init", NULL };
    execv(arguments[0], arguments);
    refuse(arguments[0]);
}
