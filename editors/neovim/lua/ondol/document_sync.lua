--- Sends the text changes that Neovim does not send.
---
--- Neovim sends changes from a listener on the buffer. If the text changes while no client is attached (after a crash
--- of the server, or while Ondol is off), that listener ends, and a client that is attached later receives no more
--- changes (0.10 to 0.12). This module has its own listener and sends the changes that Neovim has not sent. To know
--- which ones these are, Neovim must send each change at once, so the client uses `debounce_text_changes = 0`.
local api = vim.api
local M = {}

local whole_text_above = 5000 -- lines in one change; for more the whole text is sent

---@class ondol.Sync
---@field notify function of the server's channel
---@field uri string
---@field version integer
---@field changes table[]|nil changes that Neovim has not sent; nil: send the whole text
---@field covered integer changedtick up to which Neovim has sent all changes
---@field waiting boolean a flush is scheduled
---@type table<integer, ondol.Sync>
local followed = {}
local listening = {} ---@type table<integer, true>
local buffers = {} ---@type table<string, integer> by URI

local function line_end(buffer)
  return vim.bo[buffer].fileformat == 'dos' and '\r\n' or vim.bo[buffer].fileformat == 'mac' and '\r' or '\n'
end

local function whole_text(buffer)
  local stop = line_end(buffer)
  return table.concat(api.nvim_buf_get_lines(buffer, 0, -1, true), stop) .. (vim.bo[buffer].endofline and stop or '')
end

local function flush(buffer)
  local state = followed[buffer]
  if not state or (state.changes and #state.changes == 0) or not api.nvim_buf_is_loaded(buffer) then
    return
  end
  local changes = state.changes or { { text = whole_text(buffer) } }
  state.version = math.max(state.version + 1, api.nvim_buf_get_changedtick(buffer))
  state.changes = {}
  local document = { uri = state.uri, version = state.version }
  state.notify('textDocument/didChange', { textDocument = document, contentChanges = changes })
end

local function record(buffer, tick, first, old_last, new_last)
  local state = followed[buffer]
  if not state or tick <= state.covered then
    return
  end
  if state.changes then
    local lines = api.nvim_buf_line_count(buffer)
    if new_last - first > whole_text_above or (new_last >= lines and not vim.bo[buffer].endofline) then
      state.changes = nil
    else
      local stop = line_end(buffer)
      local new = api.nvim_buf_get_lines(buffer, first, new_last, false)
      local range = { start = { line = first, character = 0 }, ['end'] = { line = old_last, character = 0 } }
      table.insert(state.changes, { range = range, text = #new > 0 and table.concat(new, stop) .. stop or '' })
    end
  end
  if not state.waiting then
    state.waiting = true
    vim.schedule(function()
      state.waiting = false
      if followed[buffer] == state then
        flush(buffer)
      end
    end)
  end
end

local function listen(buffer)
  if listening[buffer] then
    return
  end
  listening[buffer] = api.nvim_buf_attach(buffer, false, {
    on_lines = function(_, _, tick, first, old_last, new_last)
      record(buffer, tick, first, old_last, new_last)
    end,
    on_reload = function()
      -- If Neovim's listener exists, it closes and opens the document, which resets this state.
      if followed[buffer] then
        followed[buffer].changes = nil
        record(buffer, math.huge, 0, 0, 0)
      end
    end,
    on_detach = function()
      listening[buffer], followed[buffer] = nil, nil
    end,
  }) or nil
end

--- The version of a buffer's text that the server has, or nil if the document is not open there.
---@param buffer integer
---@return integer|nil
function M.version(buffer)
  local state = followed[buffer]
  return state and state.version
end

--- Wraps the channel to a server, so that it also sends the changes that Neovim does not send.
---@param channel table returned by vim.lsp.rpc.start()
---@return table channel
function M.wrap(channel)
  local notify, request = channel.notify, channel.request
  channel.notify = function(method, params)
    if method == 'textDocument/didOpen' then
      local document = params.textDocument
      local buffer = vim.uri_to_bufnr(document.uri)
      buffers[document.uri] = buffer
      followed[buffer] = {
        notify = notify,
        uri = document.uri,
        version = document.version or 0,
        changes = {},
        covered = api.nvim_buf_get_changedtick(buffer),
        waiting = false,
      }
      listen(buffer)
    elseif method == 'textDocument/didChange' then
      local state = followed[buffers[params.textDocument.uri]]
      if state then
        local buffer = buffers[params.textDocument.uri]
        state.changes, state.version = {}, params.textDocument.version or state.version
        state.covered = api.nvim_buf_get_changedtick(buffer)
        -- Neovim sends wrong changes at the end of a text without a final line end (0.10 to 0.12).
        if not vim.bo[buffer].endofline then
          params = vim.tbl_extend('force', params, { contentChanges = { { text = whole_text(buffer) } } })
        end
      end
    elseif method == 'textDocument/didClose' then
      local buffer = buffers[params.textDocument.uri]
      if buffer then
        followed[buffer], buffers[params.textDocument.uri] = nil, nil
      end
    end
    return notify(method, params)
  end
  channel.request = function(method, params, ...)
    local uri = type(params) == 'table' and params.textDocument and params.textDocument.uri
    if uri and buffers[uri] then
      flush(buffers[uri])
    end
    return request(method, params, ...)
  end
  return channel
end

return M
