/*
 * Settings (MS-ASCMD 2.2.1.18): who the user is, and what the device says of
 * itself. The absence note is in cmd_oof.c.
 */
#include "sandbox/call.h"

static void
status_only(struct call *c, unsigned tag, int status)
{
    wbxml_write_start(&c->w, tag);
    wbxml_write_number(&c->w, SETTINGS_STATUS, status);
    wbxml_write_end(&c->w);
}

static void
write_addresses(struct call *c)
{
    wbxml_write_start(&c->w, SETTINGS_EMAIL_ADDRESSES);
    if (c->version >= 141)
        wbxml_write_text(&c->w, SETTINGS_PRIMARY_SMTP_ADDRESS,
                         c->user->address);
    wbxml_write_text(&c->w, SETTINGS_SMTP_ADDRESS, c->user->address);
    wbxml_write_end(&c->w);
}

/* Up to 14.0 directly, from 14.1 on inside of Accounts (2.2.3.192). */
static void
user_information(struct call *c)
{
    wbxml_write_start(&c->w, SETTINGS_USER_INFORMATION);
    wbxml_write_text(&c->w, SETTINGS_STATUS, "1");
    wbxml_write_start(&c->w, SETTINGS_GET);
    if (c->version >= 141) {
        wbxml_write_start(&c->w, SETTINGS_ACCOUNTS);
        wbxml_write_start(&c->w, SETTINGS_ACCOUNT);
        write_addresses(c);
        wbxml_write_end(&c->w);
        wbxml_write_end(&c->w);
    } else {
        write_addresses(c);
    }
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
}

enum answer
cmd_settings(struct call *c)
{
    if (!c->root->child)
        return call_breach(c, 2, "nothing asked for");
    call_start(c, 1);
    if (wbxml_has(c->root, SETTINGS_OOF, 0))
        oof_answer(c);
    if (wbxml_has(c->root, SETTINGS_DEVICE_INFORMATION, 0))
        status_only(c, SETTINGS_DEVICE_INFORMATION, 1);
    if (wbxml_has(c->root, SETTINGS_DEVICE_PASSWORD, 0))
        status_only(c, SETTINGS_DEVICE_PASSWORD, 7); /* recovery is off */
    if (wbxml_has(c->root, SETTINGS_USER_INFORMATION, 0))
        user_information(c);
    if (wbxml_has(c->root, SETTINGS_RIGHTS_MANAGEMENT_INFORMATION, 0))
        status_only(c, SETTINGS_RIGHTS_MANAGEMENT_INFORMATION, 168);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
