"""Any OpenAI-compatible endpoint, asked for structured replies.

In: a `Request` and the pydantic model its reply must fit. Out: the validated reply and one `CallRow` for
each call. Promised: a validated reply is paid for once, the budget is never overrun, a call that fails
says why and keeps the reply.
"""
