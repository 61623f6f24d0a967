/* Reads every file below a folder and parses it to libyaml's events: what bench/validate measures
   as the least that reading YAML costs. */
#define _GNU_SOURCE
#include <ftw.h>
#include <stdio.h>
#include <yaml.h>

static unsigned char text[1 << 24];

static int parse(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)info;
    (void)walk;
    if (type != FTW_F) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 1;
    }
    const size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    yaml_parser_t parser;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, text, size);
    for (int done = 0; !done;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            break;
        }
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return 0;
}

int main(int argc, char **argv) {
    return argc != 2 || nftw(argv[1], parse, 16, FTW_PHYS) != 0;
}
