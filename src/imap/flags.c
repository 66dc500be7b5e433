/*
 * The one table of flags. What the store keeps as words is not in it.
 */
#include "imap/flags.h"

#include "base/mem.h"
#include "store/message.h"

static const struct {
    unsigned bit;
    const char *name;
} flags[] = {
    {STORE_ANSWERED, "\\Answered"}, {STORE_FLAGGED, "\\Flagged"},
    {STORE_DELETED, "\\Deleted"},   {STORE_SEEN, "\\Seen"},
    {STORE_DRAFT, "\\Draft"},       {STORE_FORWARDED, "$Forwarded"},
    {STORE_LOCALONLY, "$LocalOnly"},
};

unsigned
imap_flags_system(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].name[0] == '\\' && slice_iis(name, flags[i].name + 1))
            return flags[i].bit;
    return 0;
}

unsigned
imap_flags_bit(struct slice keyword)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].name[0] != '\\' && slice_iis(keyword, flags[i].name))
            return flags[i].bit;
    return 0;
}

void
imap_flags_write(unsigned bits, const char *keywords, struct buf *out)
{
    size_t start = out->len;

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (bits & flags[i].bit) {
            if (out->len > start)
                buf_addc(out, ' ');
            buf_adds(out, flags[i].name);
        }
    if (keywords && *keywords) {
        if (out->len > start)
            buf_addc(out, ' ');
        buf_adds(out, keywords);
    }
}
