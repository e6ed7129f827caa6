"""Names of the Bot API that are known and carry nothing for a session (version 10.1, `Update` and `Message`)."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OTHER_UPDATES = _names(
    """
    channel_post edited_channel_post business_connection business_message edited_business_message
    deleted_business_messages guest_message message_reaction_count inline_query chosen_inline_result
    shipping_query pre_checkout_query purchased_paid_media poll poll_answer chat_member chat_join_request
    chat_boost removed_chat_boost managed_bot
    """
)
"""Kinds of updates we do not ask for; some still come for a while after the list of wanted ones changed."""

SERVICE = _names(
    """
    new_chat_members left_chat_member chat_owner_left chat_owner_changed new_chat_title new_chat_photo
    delete_chat_photo group_chat_created supergroup_chat_created channel_chat_created
    message_auto_delete_timer_changed migrate_to_chat_id migrate_from_chat_id pinned_message successful_payment
    refunded_payment users_shared chat_shared gift_upgrade_sent connected_website write_access_allowed
    passport_data proximity_alert_triggered boost_added chat_background_set checklist_tasks_done
    checklist_tasks_added direct_message_price_changed forum_topic_created forum_topic_edited forum_topic_closed
    forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden giveaway_created
    giveaway_completed managed_bot_created paid_message_price_changed poll_option_added poll_option_deleted
    suggested_post_approved suggested_post_approval_failed suggested_post_declined suggested_post_paid
    suggested_post_refunded video_chat_scheduled video_chat_started video_chat_ended
    video_chat_participants_invited web_app_data
    """
)
"""Fields that make a message a notice about the chat: nobody said anything."""

KNOWN_FIELDS = SERVICE | _names(
    """
    message_id message_thread_id direct_messages_topic from sender_chat sender_boost_count sender_business_bot
    sender_tag date guest_query_id business_connection_id chat forward_origin is_topic_message
    is_automatic_forward reply_to_message external_reply quote reply_to_story reply_to_checklist_task_id
    reply_to_poll_option_id via_bot guest_bot_caller_user guest_bot_caller_chat edit_date has_protected_content
    is_from_offline is_paid_post media_group_id author_signature paid_star_count text entities
    link_preview_options suggested_post_info effect_id caption caption_entities show_caption_above_media
    has_media_spoiler reply_markup
    """
)
"""Fields of a message besides its content; a field that is neither may be a content of the future."""
