/*
 * Dates: whatever stands in Date fields to seconds since 1970, and back. The
 * reader takes numbers and words in nearly any order, since real dates come
 * in nearly any order. No libc time functions: they have globals and zones.
 */
#include "mime/date.h"

#include <string.h>

#include "base/mem.h"
#include "mime/header.h"

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr",
                                          "May", "Jun", "Jul", "Aug",
                                          "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {"Thu", "Fri", "Sat", "Sun",
                                        "Mon", "Tue", "Wed"};

struct parts {
    int year, month, day, hour, minute, second, zone;
    bool has_time, has_zone, has_year;
};

int64_t
mime_date_days(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era, yoe, doy;

    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void
mime_date_civil(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468, era, doe, yoe, doy, mp;

    era = (z >= 0 ? z : z - 146096) / 146097;
    doe = z - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static int
month_of(struct slice word)
{
    size_t i;

    if (word.n < 3)
        return 0;
    for (i = 0; i < 12; i++)
        if (ascii_lower((unsigned char)word.p[0]) == months[i * 3] &&
            ascii_lower((unsigned char)word.p[1]) == months[i * 3 + 1] &&
            ascii_lower((unsigned char)word.p[2]) == months[i * 3 + 2])
            return (int)i + 1;
    return 0;
}

/* RFC 5322 section 4.3; single letters are UTC there (they were written with
 * both signs). */
static const struct {
    const char *name;
    int zone;
} zones[] = {
    {"UT", 0},      {"UTC", 0},     {"GMT", 0},     {"Z", 0},
    {"EST", -300},  {"EDT", -240},  {"CST", -360},  {"CDT", -300},
    {"MST", -420},  {"MDT", -360},  {"PST", -480},  {"PDT", -420},
    {"CET", 60},    {"MET", 60},    {"CEST", 120},  {"MEST", 120},
    {"BST", 60},    {"EET", 120},   {"EEST", 180},  {"MSK", 180},
    {"JST", 540},
};

static void
take_word(struct parts *d, struct slice word)
{
    size_t i;

    if (d->has_time && !d->has_zone) {
        for (i = 0; i < ARRAY_LEN(zones); i++)
            if (slice_iis(word, zones[i].name)) {
                d->zone = zones[i].zone;
                d->has_zone = true;
                return;
            }
    }
    if (d->month == 0 && word.n >= 3)
        d->month = month_of(word);
}

static void
take_year(struct parts *d, unsigned n, size_t digits)
{
    /* RFC 5322 section 4.3 */
    if (digits == 2)
        n += n < 50 ? 2000 : 1900;
    else if (digits == 3)
        n += 1900;
    d->year = (int)n;
    d->has_year = true;
}

static size_t
take_digits(struct slice s, unsigned *n)
{
    size_t i = 0;

    *n = 0;
    while (i < s.n && i < 9 && ascii_is_digit((unsigned char)s.p[i]))
        *n = *n * 10 + (unsigned)(s.p[i++] - '0');
    return i;
}

/* hh:mm[:ss[.fraction]] where hh was read already. */
static bool
take_time(struct parts *d, unsigned hour, struct slice *s)
{
    unsigned n;
    size_t len;

    d->hour = (int)hour;
    *s = slice_from(*s, 1);
    len = take_digits(*s, &n);
    if (len == 0 || len > 2)
        return false;
    d->minute = (int)n;
    *s = slice_from(*s, len);
    if (s->n > 1 && s->p[0] == ':') {
        *s = slice_from(*s, 1);
        len = take_digits(*s, &n);
        if (len == 0 || len > 2)
            return false;
        d->second = (int)n;
        *s = slice_from(*s, len);
    }
    if (s->n > 1 && s->p[0] == '.' &&
        ascii_is_digit((unsigned char)s->p[1])) {
        *s = slice_from(*s, 1);
        while (s->n > 0 && ascii_is_digit((unsigned char)s->p[0]))
            *s = slice_from(*s, 1);
    }
    d->has_time = true;
    return true;
}

/* +hhmm, +hh:mm, +hh */
static void
take_zone(struct parts *d, struct slice *s)
{
    int sign = s->p[0] == '-' ? -1 : 1;
    struct slice rest = slice_from(*s, 1);
    unsigned n, minutes = 0;
    size_t len = take_digits(rest, &n);

    rest = slice_from(rest, len);
    if (len > 0 && len <= 2) {
        if (rest.n > 2 && rest.p[0] == ':' &&
            take_digits(slice_from(rest, 1), &minutes) == 2)
            rest = slice_from(rest, 3);
        n = n * 100 + minutes;
    }
    *s = rest;
    if (len == 0 || d->has_zone || n > 9959)
        return;
    d->zone = sign * (int)(n / 100 * 60 + n % 100);
    d->has_zone = true;
    if (d->zone > 24 * 60 || d->zone < -24 * 60)
        d->zone = 0; /* nonsense: the time is UTC then */
}

/* yyyy-mm-dd where yyyy was read already. */
static bool
take_iso(struct parts *d, unsigned year, struct slice *s)
{
    struct slice rest = slice_from(*s, 1);
    unsigned month, day;
    size_t len = take_digits(rest, &month);

    if (len != 2 || rest.n < 5 || rest.p[2] != '-')
        return false;
    rest = slice_from(rest, 3);
    if (take_digits(rest, &day) != 2)
        return false;
    d->year = (int)year;
    d->has_year = true;
    d->month = (int)month;
    d->day = (int)day;
    *s = slice_from(rest, 2);
    return true;
}

static bool
take_number(struct parts *d, struct slice *s)
{
    unsigned n;
    size_t len = take_digits(*s, &n);

    *s = slice_from(*s, len);
    if (len <= 2 && s->n > 0 && s->p[0] == ':' && !d->has_time)
        return take_time(d, n, s);
    if (len == 4 && s->n > 0 && s->p[0] == '-' && d->day == 0 &&
        take_iso(d, n, s))
        return true;
    if (d->day == 0 && len <= 2)
        d->day = (int)n;
    else if (!d->has_year && len <= 4 && len >= 2)
        take_year(d, n, len);
    return true;
}

static bool
in_month(const struct parts *d)
{
    static const int days[] = {31, 29, 31, 30, 31, 30,
                               31, 31, 30, 31, 30, 31};

    return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= days[d->month - 1];
}

static bool
parts_unix(const struct parts *d, int64_t *unix_out, int *zone_out)
{
    if (!d->has_year || !in_month(d) || d->hour > 24 || d->minute > 59 ||
        d->second > 60)
        return false;
    *unix_out = mime_date_days(d->year, d->month, d->day) * 86400 +
                d->hour * 3600 + d->minute * 60 + d->second -
                (int64_t)d->zone * 60;
    if (zone_out != NULL)
        *zone_out = d->zone;
    return true;
}

bool
mime_date_parse(struct slice text, int64_t *unix_out, int *zone_out)
{
    struct parts d = {0};
    size_t n;

    if (text.n > 1000)
        text.n = 1000;
    for (;;) {
        text = mime_header_skip(text);
        if (text.n == 0)
            break;
        if (ascii_is_digit((unsigned char)text.p[0])) {
            if (!take_number(&d, &text))
                return false;
        } else if (ascii_is_alpha((unsigned char)text.p[0])) {
            for (n = 0; n < text.n &&
                        ascii_is_alpha((unsigned char)text.p[n]);)
                n++;
            take_word(&d, slice_cut(text, 0, n));
            text = slice_from(text, n);
        } else if ((text.p[0] == '+' || text.p[0] == '-') && d.has_time) {
            take_zone(&d, &text);
        } else {
            text = slice_from(text, 1);
        }
    }
    return parts_unix(&d, unix_out, zone_out);
}

static void
split(int64_t t, int zone, struct parts *d, int64_t *days)
{
    int64_t local = t + (int64_t)zone * 60, second;

    *days = local / 86400;
    second = local % 86400;
    if (second < 0) {
        second += 86400;
        (*days)--;
    }
    mime_date_civil(*days, &d->year, &d->month, &d->day);
    d->hour = (int)(second / 3600);
    d->minute = (int)(second / 60 % 60);
    d->second = (int)(second % 60);
}

/* Years of four digits are all that the formats can say. */
static int64_t
clamp(int64_t t)
{
    const int64_t first = -62135510400, last = 253402214400;

    return t < first ? first : t > last ? last : t;
}

int
mime_date_write(int64_t t, int zone, struct buf *out)
{
    struct parts d;
    int64_t days;
    int off = zone < 0 ? -zone : zone;

    split(clamp(t), zone, &d, &days);
    return buf_addf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d",
                    day_names[((days % 7) + 7) % 7], d.day,
                    month_names[d.month - 1], d.year, d.hour, d.minute,
                    d.second, zone < 0 ? '-' : '+', off / 60, off % 60);
}

int
mime_date_write_imap(int64_t t, int zone, struct buf *out)
{
    struct parts d;
    int64_t days;
    int off = zone < 0 ? -zone : zone;

    split(clamp(t), zone, &d, &days);
    return buf_addf(out, "%02d-%s-%04d %02d:%02d:%02d %c%02d%02d", d.day,
                    month_names[d.month - 1], d.year, d.hour, d.minute,
                    d.second, zone < 0 ? '-' : '+', off / 60, off % 60);
}

/* dd-Mon-yyyy hh:mm:ss +zzzz: a form with digits at fixed places. */
bool
mime_date_parse_imap(struct slice text, int64_t *unix_out, int *zone_out)
{
    static const char form[] = "00-AAA-0000 00:00:00 s0000";
    struct parts d = {.has_year = true};
    const char *p = text.p;
    unsigned n;
    size_t i;

    if (text.n != sizeof(form) - 1)
        return false;
    for (i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool ok = form[i] == '0'   ? ascii_is_digit(c)
                  : form[i] == 'A' ? ascii_is_alpha(c)
                  : form[i] == 's' ? c == '+' || c == '-'
                                   : c == (unsigned char)form[i];

        if (i == 0 && c == ' ')
            ok = true; /* date-day-fixed: SP DIGIT */
        if (!ok)
            return false;
    }
    d.day = (p[0] == ' ' ? 0 : p[0] - '0') * 10 + p[1] - '0';
    d.month = month_of(slice_cut(text, 3, 6));
    take_digits(slice_cut(text, 7, 11), &n);
    d.year = (int)n;
    d.hour = (p[12] - '0') * 10 + p[13] - '0';
    d.minute = (p[15] - '0') * 10 + p[16] - '0';
    d.second = (p[18] - '0') * 10 + p[19] - '0';
    take_digits(slice_cut(text, 22, 26), &n);
    d.zone = (int)(n / 100 * 60 + n % 100) * (p[21] == '-' ? -1 : 1);
    return d.hour < 24 && n % 100 < 60 && n / 100 < 24 &&
           parts_unix(&d, unix_out, zone_out);
}
